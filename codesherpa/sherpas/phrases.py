"""The fixed words of an answer, and how a model is told its language: `en`, `hi`, `hinglish`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language. `tongue` is told to the model; the rest is read by a person."""

    tongue: str
    summary: str
    findings: str
    no_findings: str
    issue: str
    suggestion: str
    fix: str
    verdict: str
    quality: str
    risk: str
    risks: dict[str, str]
    explanation: str
    steps: str
    concepts: str
    analogy: str
    left_out: str
    unreadable: str
    counted: str


ENGLISH = Phrases(
    tongue="Write everything that a person reads in English.",
    summary="Summary",
    findings="Findings",
    no_findings="No findings.",
    issue="Issue",
    suggestion="Suggestion",
    fix="Fix",
    verdict="Verdict",
    quality="Quality",
    risk="Security risk",
    risks={"None": "none", "Low": "low", "High": "high"},
    explanation="Explanation",
    steps="Learning path",
    concepts="Key concepts",
    analogy="Analogy",
    left_out="Left out, because it was too much for one answer:",
    unreadable="The answer did not come in the form that was asked for. This is what came:",
    counted="Findings: {}.",
)
HINDI = Phrases(
    tongue=(
        "Write everything that a person reads in Hindi, in Devanagari script. Keep code, names of files, functions and "
        "libraries, and the technical words that programmers in India say in English, as they are."
    ),
    summary="सारांश",
    findings="कमियाँ",
    no_findings="कोई कमी नहीं मिली।",
    issue="समस्या",
    suggestion="सुझाव",
    fix="सुधार",
    verdict="नतीजा",
    quality="गुणवत्ता",
    risk="सुरक्षा जोखिम",
    risks={"None": "कोई नहीं", "Low": "कम", "High": "ज़्यादा"},
    explanation="व्याख्या",
    steps="सीखने का रास्ता",
    concepts="मुख्य अवधारणाएँ",
    analogy="उपमा",
    left_out="यह हिस्सा छोड़ दिया गया, क्योंकि एक जवाब के लिए बहुत ज़्यादा था:",
    unreadable="जवाब उस रूप में नहीं आया जो माँगा गया था। जो आया, वह यह है:",
    counted="कमियाँ: {}।",
)
HINGLISH = Phrases(
    tongue=(
        "Write everything that a person reads in Hinglish: Hindi in Latin letters with English technical words, as "
        'developers in India type it ("Yeh function list ko sort karta hai, lekin empty input par crash ho jayega."). '
        "Use no Devanagari."
    ),
    summary="Saaraansh",
    findings="Kamiyan",
    no_findings="Koi kami nahi mili.",
    issue="Problem",
    suggestion="Sujhav",
    fix="Fix",
    verdict="Nateeja",
    quality="Quality",
    risk="Security risk",
    risks={"None": "koi nahi", "Low": "kam", "High": "zyada"},
    explanation="Explanation",
    steps="Seekhne ka rasta",
    concepts="Main concepts",
    analogy="Ek misaal",
    left_out="Yeh hissa chhod diya gaya, kyunki ek jawab ke liye bahut zyada tha:",
    unreadable="Jawab us form mein nahi aaya jo maanga gaya tha. Jo aaya, woh yeh hai:",
    counted="Kamiyan: {}.",
)
PHRASES = {"en": ENGLISH, "hi": HINDI, "hinglish": HINGLISH}


def phrases(language: str) -> Phrases:
    """Return the words of a language, English for one that we do not have."""
    return PHRASES.get(language, ENGLISH)
