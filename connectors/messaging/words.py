"""What a person's reply comes down to, by what people write in the languages of our clinics' patients. Keeps no reply.

Only a whole message counts, never a word inside one: "yes" confirms, "yes but not that day" is for a person to read.
A word that says one thing in one language and another elsewhere is in no list (Polish "tak" is Danish for thanks).
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

from connectors.messaging.fields import Meaning

_LONGEST: Final = 200

STOP: Final = {
    "en": "stop, stop all, stopall, unsubscribe, unsubscribe me, end, quit, revoke, optout, opt out, please stop, stop please, "
    "stop messages, stop texting, stop texting me, stop messaging me, no more messages, do not text me, don't text me, "
    "do not message me, remove me, leave me alone",
    "de": "stopp, abmelden, abbestellen, austragen, keine nachrichten mehr, bitte stoppen, aufhören",
    "fr": "arrêt, arrêter, arrêtez, désabonner, désinscrire, me désabonner, me désinscrire, plus de messages",
    "es": "alto, baja, parar, detener, no más mensajes, darme de baja, cancelar suscripción",
    "pt": "parar, pare, sair, descadastrar, não quero mais mensagens, cancelar inscrição, chega",
    "it": "ferma, fermare, basta, disiscrivi, disiscrivimi, annulla iscrizione, niente più messaggi",
    "nl": "stoppen, afmelden, uitschrijven, geen berichten meer",
    "no": "stans, avslutt, meld av, avmeld, ingen flere meldinger",
    "sv": "stoppa, avsluta, avregistrera, avprenumerera, inga fler meddelanden",
    "da": "afmeld, afmelde, ikke flere beskeder",
    "fi": "lopeta, seis, peru tilaus, ei enää viestejä",
    "pl": "zatrzymaj, wypisz, wypisz mnie, koniec, przestań, przestańcie",
    "tr": "dur, durdur, ret, abonelikten çık, mesaj atmayın, mesaj istemiyorum",
    "ru": "стоп, остановить, отписаться, отписка, отпишите меня, хватит, прекратите",
    "ar": "توقف, قف, إيقاف, أوقف, الغاء الاشتراك, إلغاء الاشتراك, لا مزيد من الرسائل",
    "hi": "स्टॉप, रोकें, रोको, रोकिए, बंद, बंद करें, बंद करो, बंद कीजिए, बन्द करें, संदेश बंद करें, roko, rokiye, band karo, "
    "band karen, band kare, band karein, band kijiye, bandh karo",
    "bn": "স্টপ, বন্ধ, বন্ধ করুন, বন্ধ করো, থামুন, থামান, bondho, bondho korun",
    "ta": "ஸ்டாப், நிறுத்து, நிறுத்தவும், நிறுத்துங்கள், niruthu, niruthungal",
    "te": "స్టాప్, ఆపు, ఆపండి, ఆపేయండి, aapu, aapandi",
    "mr": "थांबा, थांबवा, बंद करा, thamba, thambva, band kara",
    "gu": "સ્ટોપ, બંધ, બંધ કરો, રોકો, bandh karo",
    "kn": "ಸ್ಟಾಪ್, ನಿಲ್ಲಿಸಿ, ನಿಲ್ಲಿಸು, nillisi",
    "ml": "സ്റ്റോപ്പ്, നിർത്തുക, നിർത്തൂ, നിർത്തണം, nirthuka",
    "ur": "اسٹاپ, سٹاپ, بند, بند کریں, بند کرو, روکیں, روک دیں",
    "pa": "ਸਟਾਪ, ਬੰਦ, ਬੰਦ ਕਰੋ, ਰੋਕੋ",
    "zh": "停, 停止, 退订, 退訂, 取消订阅, 取消訂閱, 不要再发, 不要再發, td",
    "id": "berhenti, hentikan, jangan kirim lagi, berhenti berlangganan",
}

START: Final = {
    "en": "start, unstop, resume, subscribe, opt in, optin, start again, start messages",
    "de": "starten, anmelden, wieder anmelden, fortsetzen",
    "fr": "démarrer, commencer, reprendre, réabonner, abonner",
    "es": "iniciar, comenzar, reanudar, alta, darme de alta",
    "pt": "iniciar, começar, retomar, quero receber",
    "it": "inizia, iniziare, avvia, riprendi, iscrivimi",
    "nl": "aanmelden, hervatten, opnieuw starten",
    "no": "begynn, meld på, påmeld, start igjen",
    "sv": "starta, börja, anmäl, återuppta",
    "da": "tilmeld, tilmelde, start igen",
    "fi": "aloita, jatka, tilaa",
    "pl": "rozpocznij, zacznij, wznów, zapisz mnie",
    "tr": "başla, başlat, abone ol, yeniden başlat",
    "ru": "старт, начать, начни, возобновить, подписаться",
    "ar": "ابدأ, بدء, استئناف, اشتراك, اشترك",
    "hi": "स्टार्ट, शुरू, शुरू करें, शुरू करो, शुरू कीजिए, चालू करें, चालू करो, shuru, shuru karo, shuru karen, shuru karein, "
    "chalu karo",
    "bn": "স্টার্ট, শুরু, শুরু করুন, চালু করুন, shuru korun",
    "ta": "ஸ்டார்ட், தொடங்கு, தொடங்கவும், தொடங்குங்கள்",
    "te": "స్టార్ట్, ప్రారంభించు, ప్రారంభించండి, మొదలుపెట్టండి",
    "mr": "सुरू, सुरू करा, सुरु करा, चालू करा, suru kara",
    "gu": "સ્ટાર્ટ, શરૂ, શરૂ કરો, ચાલુ કરો, sharu karo",
    "kn": "ಸ್ಟಾರ್ಟ್, ಪ್ರಾರಂಭಿಸಿ, ಆರಂಭಿಸಿ, ಶುರುಮಾಡಿ",
    "ml": "സ്റ്റാർട്ട്, തുടങ്ങുക, ആരംഭിക്കുക",
    "ur": "شروع, شروع کریں, شروع کرو, چالو کریں",
    "pa": "ਸਟਾਰਟ, ਸ਼ੁਰੂ, ਸ਼ੁਰੂ ਕਰੋ, ਚਾਲੂ ਕਰੋ",
    "zh": "开始, 開始, 订阅, 訂閱, 恢复, 恢復",
    "id": "mulai, mulai lagi, berlangganan, lanjutkan",
}

CONFIRM: Final = {
    "en": "yes, y, yep, yeah, yup, yes please, ok, okay, k, sure, confirm, confirmed, i confirm, yes confirm, i will come, "
    "i'll come, i will be there, i'll be there, see you then, yes thanks, yes thank you",
    "de": "ja, ja bitte, jawohl, bestätigt, bestätige, bestätigen, ich bestätige, ich komme, ja ich komme, passt",
    "fr": "oui, ouais, confirmer, confirmé, je confirme, d'accord, je viens, je serai là, oui merci",
    "es": "sí, confirmar, confirmo, confirmado, confirmada, vale, claro, de acuerdo, ahí estaré, iré",
    "pt": "sim, confirmar, confirmo, confirmado, confirmada, claro, vou, estarei lá",
    "it": "sì, confermo, conferma, confermato, va bene, ci sarò, vengo",
    "nl": "ja graag, bevestig, bevestigen, bevestigd, ik bevestig, ik kom, akkoord",
    "no": "bekreft, bekrefter, bekreftet, jeg kommer, ja takk",
    "sv": "bekräfta, bekräftar, bekräftat, jag kommer, ja tack",
    "da": "bekræft, bekræfter, bekræftet, ja tak",
    "fi": "kyllä, joo, vahvista, vahvistan, tulen, sopii",
    "pl": "potwierdzam, potwierdź, tak potwierdzam, będę, przyjdę, zgadzam się",
    "tr": "evet, onayla, onaylıyorum, tamam, gelirim, geleceğim, geliyorum",
    "ru": "да, подтверждаю, подтвердить, приду, буду, хорошо, согласен, согласна",
    "ar": "نعم, أؤكد, تأكيد, اؤكد الحضور, موافق, سأحضر, حسنا",
    "hi": "हाँ, हां, हाँ जी, हां जी, जी, जी हाँ, जी हां, ठीक है, पुष्टि, पुष्टि करें, कन्फर्म, haan, haan ji, haanji, ji haan, "
    "theek hai, thik hai, confirm karo, confirm hai",
    "bn": "হ্যাঁ, হা, জি, জ্বি, ঠিক আছে, নিশ্চিত, নিশ্চিত করুন, thik ache",
    "ta": "ஆம், ஆமாம், சரி, உறுதி, aamaam",
    "te": "అవును, సరే, నిర్ధారించు, నిర్ధారించండి, avunu, sare",
    "mr": "हो, होय, ठीक आहे, ठिक आहे, hoy",
    "gu": "હા, હાજી, બરાબર, ઠીક છે, પુષ્ટિ",
    "kn": "ಹೌದು, ಸರಿ, ದೃಢೀಕರಿಸಿ, houdu",
    "ml": "അതെ, ശരി, ഉവ്വ്, ഉറപ്പ്, sheri",
    "ur": "ہاں, جی, جی ہاں, ٹھیک ہے, تصدیق",
    "pa": "ਹਾਂ, ਹਾਂ ਜੀ, ਜੀ, ਠੀਕ ਹੈ",
    "zh": "是, 是的, 好, 好的, 确认, 確認, 可以, 会来, 會來, 没问题, 沒問題",
    "id": "iya, setuju, konfirmasi, hadir, bisa, oke, baik, saya datang",
}

DECLINE: Final = {
    "en": "no, n, nope, no thanks, no thank you, cancel, cancelled, canceled, decline, please cancel, cancel please, "
    "cancel appointment, cancel my appointment, can't come, cannot come, i can't come, i cannot come, can't make it, "
    "i can't make it, i won't come",
    "de": "nein, nein danke, absagen, absage, ich sage ab, kann nicht, ich kann nicht, ich komme nicht, termin absagen",
    "fr": "non, non merci, annuler, annulez, annulé, j'annule, je ne viens pas, je ne peux pas, je ne peux pas venir",
    "es": "no gracias, cancelar, cancela, cancelo, cancelado, anular, no puedo, no puedo ir, no iré, cancelar cita",
    "pt": "não, não obrigado, não obrigada, desmarcar, desmarco, não posso, não vou, não posso ir",
    "it": "no grazie, annulla, annullare, annullo, disdici, disdico, disdire, non posso, non vengo",
    "nl": "nee, nee bedankt, annuleer, annuleren, afzeggen, ik kom niet, ik kan niet",
    "no": "nei, nei takk, avbestill, avlys, kan ikke, jeg kommer ikke, jeg kan ikke",
    "sv": "nej, nej tack, avboka, avbokar, kan inte, jag kommer inte, jag kan inte",
    "da": "nej tak, aflys, afbestil, afbud",
    "fi": "ei, ei kiitos, peru, peruuta, perun, en tule, en pääse",
    "pl": "nie, nie dziękuję, odwołuję, odwołaj, anuluj, nie mogę, nie przyjdę",
    "tr": "hayır, iptal, iptal et, gelemem, gelemiyorum, gelmeyeceğim",
    "ru": "нет, отмена, отменить, отмените, не приду, не могу, не смогу",
    "ar": "لا, لا شكرا, إلغاء, الغاء, إلغاء الموعد, لن أحضر, لا أستطيع",
    "hi": "नहीं, नही, जी नहीं, रद्द, रद्द करें, रद्द करो, कैंसल, कैंसिल, nahi, nahin, nahi ji, ji nahi, cancel karo, radd karo",
    "bn": "না, বাতিল, বাতিল করুন, আসতে পারব না, batil",
    "ta": "இல்லை, வேண்டாம், ரத்து, ரத்து செய், illai, vendam",
    "te": "కాదు, లేదు, వద్దు, రద్దు, రద్దు చేయండి, kaadu, vaddu",
    "mr": "नाही, नको, रद्द करा, nako",
    "gu": "ના, નહીં, રદ, રદ કરો",
    "kn": "ಇಲ್ಲ, ಬೇಡ, ರದ್ದು, ರದ್ದುಮಾಡಿ, beda",
    "ml": "ഇല്ല, വേണ്ട, റദ്ദാക്കുക, illa, venda",
    "ur": "نہیں, جی نہیں, منسوخ, منسوخ کریں, کینسل",
    "pa": "ਨਹੀਂ, ਨਹੀਂ ਜੀ, ਰੱਦ, ਰੱਦ ਕਰੋ",
    "zh": "否, 不, 不是, 不能, 取消, 不来, 不來, 不去, 不行",
    "id": "tidak, tidak bisa, batal, batalkan, tidak jadi, nggak",
}

#: What carriers and Twilio take for an opt-out without asking us. CANCEL is one there, whatever it declines elsewhere.
CARRIER_STOPS: Final = frozenset({"stop", "unsubscribe", "end", "quit", "stopall", "revoke", "optout", "cancel"})


def meaning(text: str) -> Meaning:
    """What a whole message comes down to; OTHER for everything that a person must read."""
    return _MEANINGS.get(plain(text), Meaning.OTHER)


def is_carrier_stop(text: str) -> bool:
    """Whether the carrier's own list takes the message for an opt-out."""
    return plain(text) in CARRIER_STOPS


def plain(text: str) -> str:
    """A message as it is compared: letters, marks and digits in single spaces, without case, accents and decoration."""
    if len(text) > _LONGEST:
        return ""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    kept = "".join(_kept(character) for character in unicodedata.normalize("NFKD", folded))
    return unicodedata.normalize("NFC", " ".join(kept.split()))


def _kept(character: str) -> str:
    if character in _APART:
        return _APART[character]
    category = unicodedata.category(character)
    if category == "Cf" or _is_accent(character):
        return ""
    return character if category[0] in "LMN" else " "


#: Letters that people without the right keyboard write otherwise, apostrophes, and marks that decorate.
_APART: Final = {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "'": "", "’": "", "ʼ": "", "`": "", "\u0640": ""}


def _is_accent(character: str) -> bool:
    """Accents of Latin and Cyrillic, vowel points and hamzas of Arabic, variants of emoji; no vowel sign of India's."""
    return (
        "\u0300" <= character <= "\u036f"
        or "\u064b" <= character <= "\u0655"
        or character == "\u0670"
        or "\ufe00" <= character <= "\ufe0f"
    )


def words() -> Iterator[tuple[str, Meaning, str]]:
    """Every word of every list: its language, what it means, as it is written."""
    for means, lists in (
        (Meaning.STOP, STOP),
        (Meaning.START, START),
        (Meaning.CONFIRM, CONFIRM),
        (Meaning.DECLINE, DECLINE),
    ):
        for language, written in lists.items():
            yield from ((language, means, word) for word in written.split(", "))


_MEANINGS: Final = {plain(word): means for _, means, word in words()}
