"""What is said to a phone beside a sherpa's replies, in the user's language."""

from __future__ import annotations

PHRASES = {
    "code": {
        "en": "{code} is your CodeSherpa code. Somebody wants to link this number with the account {account}. "
        "If that was you, send the code back here within 10 minutes. If not, ignore this message.",
        "hi": "{code} आपका CodeSherpa कोड है। कोई इस नंबर को खाते {account} से जोड़ना चाहता है। "
        "अगर वह आप हैं, तो 10 मिनट के भीतर यह कोड यहीं भेज दें। अगर नहीं, तो इस संदेश को अनदेखा करें।",
        "hinglish": "{code} aapka CodeSherpa code hai. Koi is number ko account {account} se jodna chahta hai. "
        "Agar woh aap hain, to 10 minute ke andar yeh code yahin bhej dein. Agar nahi, to ignore karein.",
    },
    "linked": {
        "en": "This number is linked now. Send code, a diff or a question. `stop` stops a reply, `new` begins a new "
        "conversation.",
        "hi": "यह नंबर जुड़ गया है। कोड, diff या सवाल भेजिए। `stop` जवाब रोकता है, `new` नई बातचीत शुरू करता है।",
        "hinglish": "Yeh number jud gaya hai. Code, diff ya sawaal bhejiye. `stop` jawab rokta hai, `new` nayi "
        "baatcheet shuru karta hai.",
    },
    "wrong_code": {
        "en": "This is not the code, or it is too old. Ask for a new one in your account's settings.",
        "hi": "यह कोड सही नहीं है या पुराना हो गया है। अपने खाते की सेटिंग में नया कोड माँगिए।",
        "hinglish": "Yeh code sahi nahi hai ya purana ho gaya hai. Apne account ki settings mein naya code maangiye.",
    },
    "stranger": {
        "en": "Hello! This is CodeSherpa, which reviews and explains code. I don't know this number yet: link it in "
        "your account's settings, and I can answer.",
    },
    "text_only": {
        "en": "I can read text only. Please send code or a question as text.",
        "hi": "मैं केवल टेक्स्ट पढ़ सकता हूँ। कृपया कोड या सवाल टेक्स्ट में भेजिए।",
        "hinglish": "Main sirf text padh sakta hoon. Please code ya sawaal text mein bhejiye.",
    },
    "stopped": {
        "en": "Stopped.",
        "hi": "रोक दिया।",
        "hinglish": "Rok diya.",
    },
    "nothing_to_stop": {
        "en": "Nothing is being written just now.",
        "hi": "अभी कुछ नहीं लिखा जा रहा है।",
        "hinglish": "Abhi kuch nahi likha ja raha hai.",
    },
    "new": {
        "en": "A new conversation begins here.",
        "hi": "यहाँ से नई बातचीत शुरू होती है।",
        "hinglish": "Yahan se nayi baatcheet shuru hoti hai.",
    },
}


def say(key: str, language: str = "en", **words: str) -> str:
    """Return a sentence in a language, in English where it has none."""
    return PHRASES[key].get(language, PHRASES[key]["en"]).format_map(words)
