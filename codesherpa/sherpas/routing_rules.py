"""What the router knows of English, Hindi and Hinglish: words for ideas, and rules over ideas.

Words become ideas in capitals ("samjhao", "समझाओ" and "explain" are all EXPLAIN), so that one rule reads all
three languages; a word without an entry stays as it is, in small letters. Hindi is compared after `fold` has
taken the spelling out of it, so that one entry covers "theek", "thik", "teek" and ठीक.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

REVIEW, EXPLAIN, CHAT = "review_monk", "codebase_sherpa", "general_chat"
NOISE = ""  # the idea of words that carry none

# English, word for word.
ENGLISH = {
    NOISE: "please plz pls plss kindly just only simply really actually basically quickly maybe quick bro buddy sir"
    " dude mate guys ji me very so too some there",
    "DET": "a an the",
    "REVIEW": "review reviews reviewed reviewing audit audits auditing inspect inspection nitpick nitpicks roast lint"
    " linting proofread cr lgtm reviewer",
    "CHECK": "check checks checked checking chk chck verify validate doublecheck recheck vet evaluate",
    "LOOK": "look looks looking see glance peek",
    "FIND": "find finds found spot spotted detect identify locate search catch hunt",
    "BUG": "bug bugs buggy mistake mistakes flaw flaws issue issues problem problems prob probs fault faults defect"
    " defects glitch glitches smell smells leak leaks leaking race races deadlocks pitfall pitfalls loophole loopholes"
    " blunder blunders weakness weaknesses vulns concerns",
    "ERROR": "error errors err exception exceptions traceback stacktrace warning",
    "SECURE": "safe unsafe safely insecure safety injection injections xss csrf owasp attack attacks",
    "FAST": "performance perf faster fast slow slower sluggish speed efficient inefficient efficiency efficiently"
    " bottleneck bottlenecks scale scales scalable latency",
    "IMPROVE": "polish simplify simplified simplifying tidy cleanup rewrite harden modernize modernise shorten",
    "FIX": "fix fixes fixing fixed debug debugging repair mend rectify troubleshoot",
    "OK": "ok okay correct correctly right fine good proper properly valid acceptable ready robust idiomatic pythonic"
    " sane reasonable legit sound clean",
    "BETTER": "better nicer shorter tighter simpler easier cleaner readable neater",
    "WRONG": "wrong wrongly broken incorrect incorrectly fails fail failing failed breaks breaking off missing"
    " miss missed misses stuck overlooked forgot expected supposed unexpected",
    "BREAK": "break",
    "BAD": "bad dirty ugly messy terrible",
    "WORK": "work works working",
    "RUNS": "run runs running compile compiles execute",
    "EXPLAIN": "describe walkthrough walk overview interpret decode decipher eli5 tldr gist elaborate breakdown"
    " demystify",
    "UNDERSTAND": "understand understanding comprehend grasp",
    "CONFUSED": "lost confused confusing confuses clueless",
    "TEACH": "teach teaches teaching tutor roadmap curriculum syllabus onboard onboarding",
    "LEARN": "learn learning study",
    "MEAN": "mean means meaning signify purpose intent intention role",
    "WRITE": "write writing generate create build implement develop draft convert translate scaffold",
    "WROTE": "wrote written made built created",
    "MAKE": "make makes making",
    "GIVE": "give gimme provide share show send",
    "TELL": "tell say",
    "NEED": "want wanna need needed require wish asking like ask needs",
    "WHAT": "what wat wht",
    "WHAT BE": "what's whats",
    "WHY": "why whys y",
    "HOW": "how hows how's",
    "WHICH": "which",
    "WHO": "who whos who's",
    "WHERE": "where wheres where's",
    "WHEN": "when",
    "DO": "do does did doing done",
    "CAN": "can could would will should shall may might",
    "BE": "is are am was were be been being i'm it's isn't isnt aren't arent wasn't",
    "THIS": "this that these those it its here above below following attached ths dis them they",
    "MY": "my mine our ours",
    "CODE": "code codes function functions func fn method methods class classes line lines block query queries regex"
    " component loop loops branch lock variable implementation algorithm program constructor decorator file files"
    " snippet snippets script module handler endpoint",
    "LOGIC": "logic flow reason concept concepts",
    "REPO": "repo repository codebase repos",
    "PROJECT": "project application service",
    "ABOUT": "about",
    "PR": "pr prs diff diffs patch commit commits mr change changes",
    "MERGE": "merge approve approved merging shipping ship shippable mergeable",
    "PROD": "production prod deploy live",
    "NOT": "no not without instead skip stop avoid never don't dont nope forget",
    "CANT": "can't cant cannot couldn't doesn't doesnt didn't didnt won't wont wouldn't",
    "GREET": "hi hello hey heya hiya yo hola namaste namaskar morning afternoon evening greetings sup howdy salaam",
    "THANKS": "thanks thank thx thnx ty tysm thankyou cheers appreciate appreciated grateful",
    "BYE": "bye goodbye goodnight cya",
    "ACK": "cool nice great awesome perfect got yes yeah yep yup hmm hm alright sure gotcha lol haha excellent"
    " brilliant amazing wow understood oh ah helpful helped",
    "YOU": "you u your you're ur yourself",
    "MORE": "more again further continue next another example examples detail details deeper longer",
    "ELSE": "else",
    "FIRST": "first",
    "LATER": "later afterwards",
    "THEN": "then after",
    "AND": "and but plus also",
    "OR": "or",
    "NOW": "now",
    "REF": "second third fourth fifth last one ones finding findings step",
    "BEST": "best recommend recommended recommendation prefer preferred favourite favorite worth compare comparison"
    " versus vs pros cons"
    " advice opinion opinions",
    "SUGGEST": "suggest suggestion suggestions",
    "DIFFER": "difference differences differ",
    "FUN": "joke jokes weather story poem song movie bored burned burnout career salary interview resume job",
    "LANGUAGE": "words terms language",
    "THINK": "think thoughts thought feedback impression critique",
    "TURN": "btw unrelated anyway waise",
    # Plain English that would fold to Hindi.
    "-": "plain play use key keys seek deep their age art peer day delay rare call math path main banana far",
}
# Beginnings that are enough: the rest is inflection.
STEMS = {
    "explain": "EXPLAIN",
    "explan": "EXPLAIN",
    "summar": "EXPLAIN",
    "clarif": "EXPLAIN",
    "optimi": "IMPROVE",
    "refact": "IMPROVE",
    "improv": "IMPROVE",
    "enhanc": "IMPROVE",
    "streamlin": "IMPROVE",
    "vulnerab": "BUG",
    "exploit": "BUG",
    "secur": "SECURE",
    "crash": "WRONG",
    "hack": "SECURE",
    "analog": "EXPLAIN",
    "critiqu": "REVIEW",
    "assess": "REVIEW",
    "architect": "REPO",
}
# Words that haste mistypes: one letter wrong, lost, added or two swapped still count.
MISTYPED = (
    "review reviews check explain explanation understand optimize optimise improve refactor security vulnerability"
    " vulnerable function working problem mistake summary thanks performance please describe correct"
)
# Words of grammar: without an idea, and without a subject of their own.
GRAMMAR = (
    "i i'd i'll we to of in on at by for from with as if than into out up us he she one's let's that's am any all"
    " use used have has had get getting way thing things still yet since because only own back over few bit little big"
    " most least many much same such even ever other each every both between critical important quoted name"
    " bada badi sakta sakte sakti liya li bahut बहुत kuch कुछ aisa aise jo jab"
)
# Hindi in either script, one spelling of each sound.
HINDI = {
    NOISE: "ek एक baar bar बार zara जरा toh तो bhai bhaiya भाई yaar yr यार dost दोस्त kripya कृपया bas बस sirf सिर्फ keval"
    " केवल ji जी abhi अभी dafa ko को ka ki ke का की के se से mein में par pe पर ne ने liye लिए wala wali wale waala वाला वाली"
    " mujhe muje मुझे hume हमें sabse सबसे na ना bhi भी hi ही",
    "REVIEW": "समीक्षा samiksha रिव्यू रिव्यु जांच जाँच jaanch janch",
    "CHECK": "चेक",
    "LOOK": "nazar नज़र",
    "BUG": "galti ghalti galtiyan गलती गलतियाँ kami kamiyan कमी कमियाँ khami खामी खामियाँ dikkat दिक्कत gadbad गड़बड़ gadbadi"
    " samasya समस्या samasyaen बग बग्स pareshani परेशानी प्रॉब्लम",
    "ERROR": "एरर त्रुटि truti एक्सेप्शन",
    "SECURE": "surakshit सुरक्षित suraksha सुरक्षा सिक्योर सिक्योरिटी इंजेक्शन खतरा khatra",
    "FAST": "tez tej तेज तेज़ स्पीड परफॉर्मेंस dheema dheemi धीमा धीमी raftar",
    "IMPROVE": "saaf साफ suthra chhota छोटा ऑप्टिमाइज़ रिफैक्टर",
    "BETTER": "behtar बेहतर",
    "FIX": "फिक्स फ़िक्स डिबग",
    "OK": "sahi shi सही theek ठीक accha acha achha अच्छा badhiya बढ़िया uchit उचित ओके",
    "WRONG": "galat glt गलत kharab खराब bekar बेकार fatt phat",
    "WORK": "kaam काम",
    "EXPLAIN": "एक्सप्लेन saransh सारांश vyakhya व्याख्या",
    "CONFUSED": "palle पल्ले",
    "TEACH": "रोडमैप",
    "MEAN": "matlab mtlb मतलब arth अर्थ uddeshya उद्देश्य",
    "WHAT": "kya kia क्या",
    "WHY": "kyu kyun kyon क्यों क्यूँ",
    "HOW": "kaise kese कैसे",
    "HOWIS": "kaisa kaisi कैसा कैसी",
    "WHICH": "kaunsa konsa kaunsi konsi",
    "WHO": "kaun kon कौन",
    "WHERE": "kahan kaha कहाँ kidhar किधर",
    "WHEN": "kab कब",
    "BE": "hai h hain है हैं ho हो hota hoti hote होता होती होते hua hui हुआ हुई hoga होगा honge",
    "THIS": "ye yeh ये यह yah iska iski isko iske ise isse isme ispe inka inki iss yahan uska uski usko usme dono niche"
    " इस इसे इसको इसका इसकी इसके इसमें इससे इसपर यहाँ उसका उसे दोनों नीचे",
    "MY": "mera meri mere मेरा मेरी मेरे maine मैंने hamara",
    "CODE": "कोड फंक्शन लाइन पंक्ति क्लास क्वेरी लूप फाइल स्क्रिप्ट",
    "REPO": "कोडबेस रेपो dhancha ढांचा",
    "PROJECT": "प्रोजेक्ट",
    "ABOUT": "baare bare बारे",
    "MUCH": "kitna kitne kitni कितना कितने कितनी",
    "PR": "badlav बदलाव पीआर डिफ",
    "MERGE": "मर्ज",
    "NAHI": "nahi nahin nhi nai नहीं",
    "MAT": "mat mt मत",
    "GREET": "namaste namaskar नमस्ते नमस्कार pranam प्रणाम सुप्रभात ram राम salam हैलो हाय",
    "THANKS": "shukriya शुक्रिया dhanyawad dhanyavaad धन्यवाद meherbani aabhar आभार थैंक्स",
    "BYE": "alvida अलविदा",
    "ACK": "haan haa हाँ maza मज़ा mast zabardast",
    "MORE": "thoda thodi थोड़ा dobara दोबारा phir फिर aasan आसान saral सरल udaharan उदाहरण aage आगे vistar विस्तार",
    "FIRST": "pehle पहले",
    "LATER": "baad बाद",
    "AND": "aur और lekin लेकिन magar",
    "OR": "ya या",
    "NOW": "ab अब",
    "REF": "dusra dusri दूसरा दूसरी pehla pehli पहला teesra तीसरा",
    "NEED": "zarurat ज़रूरत chahiye चाहिए",
    "YOU": "tum tu aap तुम आप tumhara tera aapka तुम्हारा आपका",
    "BEST": "raay राय salah सलाह",
    "LANGUAGE": "bhasha भाषा shabdon shabd शब्दों",
    "DIFFER": "antar अंतर fark फर्क",
    "FUN": "chutkula चुटकुला mazedar kahani कहानी shayari naukri नौकरी naam नाम haal हाल",
    "way": "tarika तरीका tareeka",
    # Reading, which would fold to teaching.
    "-": "padhna पढ़ना padhne पढ़ने padhte पढ़ते padhe पढ़ें",
    # Forms of verbs that ask for nothing.
    "SAMAJH": "samajh समझ",
    "UNDERSTAND": "samjhu samjhun समझूँ samajhte samajhta समझते",
    "DOES": "karta karti karte करता करती करते",
    "DID": "kiya किया",
    "WROTE": "likha likhi लिखा लिखी banaya banayi बनाया बनाई",
    "RUNS": "chal चल chalta chalti chalte चलता चलती chalne",
    "RAHA": "raha rahi rahe रहा रही रहे",
    "AAYA": "aaya aayi aata aati aa आया आई आता आ pada पड़ा",
    "GAYA": "gaya gayi गया गई",
}
# Roots of verbs that ask, and the endings that make their forms (samjha-o, samjha-iye, samjha-do, समझा-ओ).
HINDI_VERBS = {
    "EXPLAIN": "samjha समझा",
    "LEARN": "seekh सीख",
    "TEACH": "sikha सिखा padha पढ़ा",
    "TELL": "bata बता bol बोल suna सुना",
    "LOOK": "dekh देख",
    "FIND": "dhundh ढूंढ dhund ढूँढ nikal निकाल pakad khoj खोज",
    "WRITE": "likh लिख bana बना",
    "IMPROVE": "sudhar सुधार",
    "FAST": "badha बढ़ा",
    "DO": "kar कर kara",
    "GIVE": "de दे",
}
ENDINGS = (
    " o na ne ni iye iyega ye yen en e u un kar ke do dena de dijiye dedo lo lena karo kro kardo iyo ta"
    " ओ ना ने नी इए इये इएगा एँ ें ो िए िएगा ूँ ऊँ कर के दो दीजिए कीजिए"
)
IRREGULAR = {"DO": "kijiye कीजिए kijie krdo kardo karlo", "GIVE": "do dijiye दीजिए दो dedo dena"}

# Latin letters for Devanagari ones; breath and length are left out, as `SPELLINGS` does with Latin ones.
LETTERS = {
    **{
        "k": "कख",
        "g": "गघ",
        "n": "ङञणनंँ",
        "c": "चछ",
        "j": "जझ",
        "t": "टठतथ",
        "d": "डढदध",
        "p": "पफ",
        "b": "बभ",
        "m": "म",
    },
    **{"y": "य", "r": "र", "l": "लळ", "v": "व", "s": "शषस", "h": "ह", "a": "अआा", "i": "इईिी", "u": "उऊुू", "ri": "ऋृ"},
    **{"e": "एऐेैऍॅ", "o": "ओऔोौऑॉ", "": "़्ःऽ\u200c\u200d"},
}
DEVANAGARI = str.maketrans({letter: latin for latin, letters in LETTERS.items() for letter in letters})
SPELLINGS = tuple(
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"ee", "i"),
        (r"oo", "u"),
        (r"a+", "a"),
        (r"a[iy]e?|e[iy]", "e"),
        (r"a[uw]", "o"),
        (r"ph|f", "p"),
        (r"w", "v"),
        (r"z", "j"),
        (r"(?<=[bcdgjklmnprstvy])h", ""),
        (r"^kia$", "kya"),
        (r"(?<=[bcdghjklmnprstv])a", ""),
        (r"(.)\1+", r"\1"),
        (r"(?<=[eiou])[nh]$", ""),
    )
)


def fold(word: str) -> str:
    """Take the spelling out of a Hindi word in either script: smjhao, samjao and समझाओ are all `smjo`."""
    folded = word.translate(DEVANAGARI)
    for pattern, plain in SPELLINGS:
        folded = pattern.sub(plain, folded)
    return folded


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over the ideas of a message that speaks for an agent, and the words that tell a person why.

    Of `weight` 3 is a plain request, 2 a clear sign, 1 a hint. `about` says when the rule counts: `code` only with
    code beside it or with words that point at some ("this", "my function"), `talk` only with neither, `trace` only
    beside a traceback.
    """

    agent: str
    weight: float
    pattern: re.Pattern[str]
    because: str
    about: str = ""


def ideas(pattern: str) -> re.Pattern[str]:
    """Compile a pattern over a line of ideas; `~4` stands for up to four others of the same sentence."""
    return re.compile(r"(?<= )(?:" + re.sub(r" ~(\d)", r"(?: [^ .]+){0,\1}", pattern) + r")(?= )")


ASKED = "(?:REVIEW|CHECK|FIX|IMPROVE|BUG|EXPLAIN|TEACH)"
VERB = "(?:REVIEW|CHECK|FIX|IMPROVE|EXPLAIN|TEACH)"
LIGHT = "(?:NEED|FIND|LOOK|TELL|GIVE|for|of|than|any|DET|to|YOU|MORE|ABOUT|DO|THIS|CODE|be)"

# What is written over before the rules look, in this order.
REWRITES = tuple(
    (ideas(pattern), instead)
    for pattern, instead in (
        # Idioms.
        (r"(?:pull|merge|MERGE) request", "PR"),
        (r"git PR", "git name"),
        (r"BE (CODE|FILE|PR|PROJECT) WHAT", r"THIS \1 WHAT"),  # Hinglish: "is code me kya galti hai".
        (r"(?:HOW (?:to|DO i|CAN i|should i) )?LEARN ~4 REF by REF", "TEACH"),
        (r"(?:corrected|fixed|FIX|IMPROVE|improved) (?:version|CODE)", "FIX THIS"),
        (r"BREAK ~3 down", "EXPLAIN"),
        (r"BREAK", "WRONG"),
        (r"(?:talk|guide|take|lead)(?: i| us)? (?:through|over)|CODE (?:by|dar|दर) CODE", "EXPLAIN"),
        (r"(?:plain|easy|MORE|layman's|hindi|english) (?:LANGUAGE|english|hindi)", "EXPLAIN"),
        (r"high level|big picture|BE 5|BE five", "EXPLAIN"),
        (r"LEARN (?:path|plan|route)|study plan|(?:from|FIRST) scratch", "TEACH"),
        (r"(?:machine|deep) LEARN", "ml"),
        (r"WRONG by (?:one|REF)|edge (?:case|cases)", "BUG"),
        (r"by DET way|(?:another|different|separate|MORE|new) (?:question|topic|thing)|REF baat|कुछ MORE", "TURN"),
        (r"OK(?= GREET)", ""),
        (r"WHAT WRONG", "WHAT BE WRONG"),
        (r"HOW come", "WHY"),
        (r"THIS (?:week|month|year|time|morning|weekend|GREET)", ""),
        (r"(WHAT BE AND) THIS", r"\1"),
        (r"THIS(?= possible| BEST| take| takes| (?:BETTER|OK|SECURE|hard|easy|common|normal) (?:to|for|that|if))", ""),
        (r"(?:WRITE|SUGGEST|MAKE|GIVE) ~3 (TEACH|EXPLAIN)", r"\1"),
        (r"EXPLAIN(?: WHAT| WHY| DET| all| BE| THIS| CODE| in| MY| WHERE){0,5} (WRONG|BUG|BROKEN)", r"FIND \1"),
        (r"THANKS in advance|NOT NOT to", ""),
        (r"rather than", "NOT"),
        (r"WHY NOT YOU", "CAN YOU"),
        (r"already UNDERSTAND|(?<= [.,] )i UNDERSTAND", "known"),
        (r"kis WORK(?= BE)|किस WORK", "MEAN"),
        (r"any comments", "THINK"),
        (r"BUG (FIX|REVIEW|CHECK)", r"\1"),
        (r"LOGIC (?:clear|CONFUSED)|clear ~2 LOGIC", "EXPLAIN"),
        (r"(?:reh|chhoot|chhut|rah|छूट|रह) (?:to )?(?:NAHI )?GAYA", "WRONG"),
        (r"WHAT WORK(?= BE)|WORK WHAT(?= BE)", "MEAN"),
        (r"NOT (?:ACK|sure)", "unsure"),
        (r"WHO (?:sa|si|se|सा|सी|से)", "WHICH"),
        (r"MAKE ACK", "CHECK"),
        # Hindi verbs: "samajh" alone is to understand, "samjha do" is to explain.
        (r"SAMAJH (?:GAYA|AAYA|liya|li)", "ACK"),
        (r"(?:SAMAJH|CONFUSED) ~2 NAHI|NAHI SAMAJH", "CONFUSED"),
        (r"SAMAJH (?:DO|GIVE)(?: DO| GIVE)?", "EXPLAIN"),
        (r"SAMAJH", "UNDERSTAND"),
        (r"(?:NOT|CANT)(?: DO| GIVE| to){0,2} (?:UNDERSTAND|ACK|follow|know)|NOT idea", "CONFUSED"),
        (r"(HOW ~2) WROTE", r"\1 WRITE"),
        (r"BETTER (?:way|WROTE|WRITE|DO|HOW (?:WRITE|DO))", "IMPROVE"),
        (r"WROTE (?:DO|GIVE)", "WRITE DO"),
        (r"OK (?:DO|GIVE)(?: GIVE| DO)?", "FIX"),
        (r"FAST (?:HOW )?(?:DO|WRITE)", "IMPROVE"),
        (r"(?:WORK|RUNS)(?: WHY| DO| BE){0,2} NAHI|NAHI (?:WORK|RUNS)", "BROKEN"),
        (r"(?:CANT ~3|NOT ~1) (?:WORK|RUNS)", "BROKEN"),
        (r"HOW (?:RUNS|WORK)|HOW ~3 WORK (?:DO|DOES)", "HOW WORK"),
        # What is not asked for: a negation before it, or in Hindi after it too.
        (rf"{VERB}(?: DO| BE| NEED| GIVE| WRITE){{0,4}} (?:NAHI|MAT)(?! (?:BE |DO )?RAHA)(?: NEED| DO| BE)*", "NEVER"),
        (r"BUG (?:NAHI|MAT) (?:FIND|TELL|LOOK|DO)|BUG (?:FIND|TELL)(?: DO| BE)? (?:NAHI|MAT)", "NEVER"),
        (rf"(?:MAT|NAHI) {VERB}(?: DO)?", "NEVER"),
        (
            rf"NOT (?:{LIGHT} ){{0,5}}{ASKED}(?: (?:OR|AND) {ASKED})?"
            rf"(?:(?: {LIGHT}| in){{0,4}} (?:BUG|SECURE|WRONG|ERROR))?(?: NEED)?",
            "NEVER",
        ),
        (rf"{ASKED}(?: DO)? LATER", "NEVER"),
        (rf"{VERB} BE NOT|(?:asked|told) to {VERB}|i CAN {VERB}", "NEVER"),
        (
            r"EXPLAIN (HOW|WHY|WHAT)(?: THIS| DET| PR| CODE){1,3} (?:FIX|IMPROVE)(?: DET| THIS)*(?: BUG)?",
            r"EXPLAIN \1 THIS",
        ),
        (r"DET (?:SECURE|null|type|input|auth|error|ERROR|health|LOGIC) CHECK", "DET name"),
        # Words of requests that ask for nothing here: names, thanks, praise.
        (r"THANKS(?: YOU)? for ~6", "THANKS"),
        (r"(?:ACK|OK|BEST|bahut) (?:REVIEW|EXPLAIN)(?= [.,?]| BE| था| tha)", "ACK"),
        (rf"((?:DET|WHAT DO|HOW DO|HOW)(?: DET)?) {VERB} (CODE|PROJECT|model|table|page|button|api)", r"\1 name \2"),
        (rf"({VERB})(?: DO)? FIRST", r"FIRST \1"),
    )
)

FAULTS = r"(?:FIND|TELL|GIVE|list|point) ~4 (?:BUG|WRONG|SECURE|FIX)|BUG ~2 (?:FIND|TELL)|WHAT ~3 WRONG"
IMPROVES = r"FIX|IMPROVE|(?:MAKE|CAN|HOW) ~6 (?:BETTER|FAST)|MAKE ~4 OK|OK ~2 up"
RIGHT = r"(?:BE|LOOK|THIS|CODE|MY|CAN|DO|DID|all) ~4 OK|OK (?:BE|OR)|OK(?= \.)"
HAPPENS = "(?:MEAN|RAHA|happens?|happened|happening|returns?|prints?|output)"
DOES = (
    rf"WHAT {HAPPENS}|WHAT [^ .]+ ~5 (?:DO|{HAPPENS})(?= [.,?]| BE)|(?:output|return|result) ~2 WHAT|WHAT changed"
    r"|TELL ~1 ABOUT|ABOUT TELL|WHAT DOES|WHAT BE (?:going|RAHA)"
)
MEANS = (
    r"WHAT BE(?! ~3 (?:WRONG|BUG|OK|SECURE|BETTER|FIX)) ~3 THIS|THIS ~2 WHAT BE|MEAN|DIFFER"
    r"|LOGIC ~2 (?:TELL|WHAT|GIVE)|WHAT ~3 LOGIC"
)
NEWCOMER = r"(?:new|naya|joined|joining|inherited|start) ~5 (?:REPO|CODE|team)|REPO ~6 (?:start|naya|join)"
ABOUT_US = (
    r"WHO ~1 YOU|YOU WHO|WHAT CAN YOU DO|YOU WHAT ~2 DO|HOW ~2 YOU(?= [.,?])|YOU HOW|TELL ABOUT YOU"
    r"|HOW BE (?:YOU|THIS going)|WHO (?:WROTE|made) YOU|YOU ~2 FUN"
)
THEORY = (
    r"(?:WHAT|HOW|WHICH|WHEN|WHY|WHO|BEST) ~6 (?:REVIEW|BUG|FIX|IMPROVE|SECURE|FAST)"
    r"|(?:REVIEW|BUG|SECURE|FAST) ~2 (?:WHAT BE BE|HOW)"
)
SOMETHING_NEW = r"MAKE (?:DET|i)|CODE (?:DO|GIVE|NEED)|(?:GIVE|NEED) ~1 DET(?! ~2 (?:TEACH|EXPLAIN))"
CHOICE = (
    r"BEST|DIFFER|OR|SUGGEST|WHICH|(?:BE|than) ~4 BETTER"
    r"|(?:WHICH|OR|WHEN|BEST|hard|easy|difficult|long|time) ~4 LEARN|LEARN ~2 OR"
)
RULES = tuple(
    Rule(agent, weight, ideas(pattern), because, about)
    for agent, about, weight, pattern, because in (
        # Review.
        (REVIEW, "", 3.0, r"REVIEW", "asks for a review"),
        (REVIEW, "", 3.2, FAULTS, "asks to find faults"),
        (REVIEW, "code", 2.6, r"BUG", "asks about faults"),
        (REVIEW, "talk", 1.2, r"BUG|SECURE|FAST|FIX|IMPROVE", "speaks of faults or improvements"),
        (REVIEW, "code", 2.6, r"SECURE", "asks whether code is safe"),
        (REVIEW, "code", 3.0, IMPROVES, "asks to mend or improve code"),
        (REVIEW, "code", 2.7, r"CHECK|LOOK", "asks to look code over"),
        (REVIEW, "code", 2.6, RIGHT, "asks whether code is right"),
        (REVIEW, "code", 2.7, r"WRONG", "says that something is wrong"),
        (REVIEW, "code", 3.0, r"BROKEN", "says that code does not work"),
        (REVIEW, "code", 3.0, r"MERGE", "asks whether a change may go in"),
        (REVIEW, "code", 2.4, r"PROD|FAST|BETTER|BAD|SUGGEST|HOWIS", "asks how good code is"),
        (REVIEW, "code", 2.6, r"THINK", "asks for an opinion of code"),
        (REVIEW, "code", 2.7, r"WHAT ~1 (?:CAN|NEED) ~3 PR|BEST practices?", "asks what to change"),
        (REVIEW, "code", 2.5, r"WHY ~2 MY", "says that something is wrong"),
        (REVIEW, "", 2.0, r"[.] PR(?= [.])", "brings a pull request"),
        # Explanation.
        (EXPLAIN, "", 3.0, r"EXPLAIN|TEACH", "asks for an explanation"),
        (EXPLAIN, "", 3.0, r"CONFUSED", "says that something is not understood"),
        (EXPLAIN, "", 2.6, r"UNDERSTAND", "wants to understand"),
        (EXPLAIN, "", 2.4, r"LEARN", "wants to learn"),
        (EXPLAIN, "code", 2.8, DOES, "asks what code does"),
        (EXPLAIN, "", 2.8, r"WHAT DO ~3 (?:name|CODE) ~2 DO", "asks what code does"),
        (EXPLAIN, "talk", 2.4, r"WHAT DO ~5 DO(?= [.,?])", "asks what something does"),
        (EXPLAIN, "", 2.8, r"HOW ~7 WORK", "asks how something works"),
        (EXPLAIN, "code", 2.5, r"HOW (?:BE|DO)(?! i| we| YOU)", "asks how something is done in code"),
        (EXPLAIN, "code", 2.7, MEANS, "asks what code means"),
        (EXPLAIN, "code", 2.7, r"HOW ~1 AAYA", "asks how something comes about"),
        (EXPLAIN, "", 2.4, r"(?:go|going|went)(?: i)? (?:through|over)", "wants to be taken through"),
        (EXPLAIN, "code", 2.3, r"WHY|WHERE|WHICH|WHEN", "asks about code"),
        (EXPLAIN, "trace", 2.9, r"WHY|WHAT|MEAN", "asks about an error"),
        (EXPLAIN, "trace", 2.4, r"ERROR", "speaks of an error"),
        (EXPLAIN, "", 2.6, NEWCOMER, "is new to code"),
        (
            EXPLAIN,
            "code",
            2.0,
            r"[.,?] (?:WHAT|HOW)(?! THIS| CODE| BE DET)|(?:THIS|CODE) ~2 WHAT [^ A-Z.,?]+|HOW ~1 DOES",
            "asks about code",
        ),
        (EXPLAIN, "code", 1.0, r"WHAT|HOW|REPO|TELL", "asks about code"),
        # Chat.
        (CHAT, "", 3.6, ABOUT_US, "is small talk"),
        (CHAT, "talk", 3.6, r"YOU ~2 UNDERSTAND", "is small talk"),
        (CHAT, "", 3.0, r"(?:[.,?]|AND|YOU|NOW|(?:NEED|YOU) to) WRITE", "asks for something new to be written"),
        (CHAT, "", 2.8, r"WRITE DO|WRITE(?= [.,?])", "asks for something new to be written"),
        (CHAT, "talk", 3.8, THEORY, "asks a general question"),
        (CHAT, "talk", 2.8, SOMETHING_NEW, "asks for something new"),
        (CHAT, "talk", 3.0, r"HOW (?:to|DO i|DO we|DO YOU|CAN|should)|HOW(?! ~5 WORK)", "asks how to do something"),
        (CHAT, "", 1.4, r"HOW (?:to|DO|CAN|should)|HOW(?! ~5 WORK)", "asks how to do something"),
        (CHAT, "talk", 2.3, r"WHAT BE|WHAT|BE ~5 WHAT|WHEN|WHO|DIFFER", "asks a general question"),
        (CHAT, "talk", 2.7, CHOICE, "asks for an opinion"),
        (CHAT, "talk", 3.0, r"MUCH|HOW (?:long|many|much|often|old)", "asks a general question"),
        (CHAT, "talk", 2.6, r"FUN", "is small talk"),
        (CHAT, "", 2.4, r"THANKS|BYE", "is a courtesy"),
        (CHAT, "", 1.5, r"GREET|FUN", "is small talk"),
        (CHAT, "talk", 1.3, r"WHY|CAN|DO|BE|HOW|LEARN", "asks a general question"),
    )
)

# Words that point at something: at code by name, or at whatever is at hand.
POINTING_AT_CODE = re.compile(r" (?:FILE|PR|LINK|REPO|CODE) ")
POINTING = re.compile(
    r" (?:THIS(?! [^\sA-Z.,?]\S* WHAT)|FILE|PR|LINK|REPO|MY (?:\S+ ){0,2}(?:CODE|REPO|PROJECT|WROTE)|CODE \d+) "
)
WHOLE = re.compile(r" (?:CODE|REPO|FILE|THIS|NOW) ")
# Nothing but courtesy, and the part of it that only says "go on".
COURTESY = re.compile(r"(?: (?:GREET|THANKS|BYE|ACK|OK|YOU|BE|DET|AND|AAYA|GAYA|for|all|much|to|bahut|हुआ|बहुत|[.,?]))+ ")
ACKNOWLEDGED = re.compile(r"(?: (?:ACK|OK|AND|BE|to|[.,?]))+ ")
# The conversation goes on, or turns.
ON_AND_ON = re.compile(r" (?:MORE|ELSE|REF|MEAN) |^ \. (?:(?:ACK|OK) , )?(?:AND|OR) ")
TURNING = re.compile(r" (?:TURN|GREET|THANKS|BYE|FUN) ")


@lru_cache(maxsize=8_192)
def idea(word: str) -> str:
    """Return the idea of a word in small letters, the word itself where it has none, "" for noise."""
    if len(word) > 24:
        return "long"
    plain = re.sub(r"(.)\1{2,}", r"\1", word)
    for known in (WORDS.get(word), WORDS.get(plain), HINDI_WORDS.get(word)):
        if known is not None:
            return word if known == "-" else known
    for stem, known in STEMS.items():
        if plain.startswith(stem):
            return known
    folded = fold(plain)
    # A fold of two letters says too little: "path" would be "phat".
    if len(folded) > 2 and folded in FOLDED:
        return word if FOLDED[folded] == "-" else FOLDED[folded]
    return _mistyped(plain) or word


def _mistyped(word: str) -> str:
    """Return the idea of the long word that is meant, "" where none is a slip away."""
    if len(word) >= 5:
        for shorter in _shortened(word):
            meant = SLIPS.get(shorter, " ")
            if meant[0] == word[0]:
                return WORDS.get(meant) or idea(meant)
    return ""


def _shortened(word: str) -> list[str]:
    """Return the word and what it becomes without any one of its letters."""
    return [word, *(word[:at] + word[at + 1 :] for at in range(len(word)))]


def _hindi() -> dict[str, str]:
    """Return every Hindi word as it is spelled above, and its idea."""
    known = {word: idea for idea, words in HINDI.items() for word in words.split()}
    for idea, roots in HINDI_VERBS.items():
        forms = [root + ending for root in roots.split() for ending in ENDINGS.split(" ")]
        for form in [*forms, *IRREGULAR.get(idea, "").split()]:
            known.setdefault(form, idea)
    return known


FUNCTION_WORDS = frozenset(GRAMMAR.split())
WORDS = {word: idea for idea, words in ENGLISH.items() for word in words.split()}
HINDI_WORDS = _hindi()
# The first of two words with the same fold counts.
FOLDED = {fold(word): known for word, known in reversed(HINDI_WORDS.items())}
SLIPS = {shorter: word for word in MISTYPED.split() for shorter in _shortened(word)}
