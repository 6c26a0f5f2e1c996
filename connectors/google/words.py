"""The sentences of notices, in each language. They say that there is something to see to, and never what."""

from collections.abc import Mapping
from typing import Final

from connectors.google.actions import SendNotice, SendStaffNotice
from connectors.google.fields import Language, Notice, StaffNotice

_EN, _DE, _ES, _FR = Language.ENGLISH, Language.GERMAN, Language.SPANISH, Language.FRENCH

#: A subject is read on locked screens, so it is the same for every notice.
SUBJECTS: Final[Mapping[type[SendNotice] | type[SendStaffNotice], Mapping[Language, str]]] = {
    SendNotice: {
        _EN: "A note from your clinic",
        _DE: "Eine Nachricht Ihrer Praxis",
        _ES: "Un aviso de su clínica",
        _FR: "Un message de votre clinique",
    },
    SendStaffNotice: {
        _EN: "Something to see to at the clinic",
        _DE: "In der Praxis ist etwas zu erledigen",
        _ES: "Tiene algo pendiente en la clínica",
        _FR: "Une tâche vous attend à la clinique",
    },
}

TEXTS: Final[Mapping[Notice | StaffNotice, Mapping[Language, str]]] = {
    Notice.APPOINTMENT_CHANGED: {
        _EN: "A time that you have with us was changed. Please look it up in your account with us, or call us.",
        _DE: "Ein Termin bei uns wurde geändert. Bitte sehen Sie in Ihrem Konto bei uns nach, oder rufen Sie uns an.",
        _ES: "Ha cambiado una cita que tiene con nosotros. Consúltela en su cuenta o llámenos.",
        _FR: "Un rendez-vous que vous avez chez nous a été modifié. Consultez votre compte ou appelez-nous.",
    },
    Notice.PLEASE_CALL: {
        _EN: "Please call us when you have a moment.",
        _DE: "Bitte rufen Sie uns an, wenn es Ihnen passt.",
        _ES: "Llámenos, por favor, cuando tenga un momento.",
        _FR: "Appelez-nous, s'il vous plaît, quand vous aurez un moment.",
    },
    Notice.MESSAGE_WAITING: {
        _EN: "There is a message for you in your account with us. Please sign in to read it.",
        _DE: "In Ihrem Konto bei uns wartet eine Nachricht. Bitte melden Sie sich an, um sie zu lesen.",
        _ES: "Tiene un mensaje en su cuenta con nosotros. Inicie sesión para leerlo.",
        _FR: "Un message vous attend dans votre compte chez nous. Connectez-vous pour le lire.",
    },
    StaffNotice.SCHEDULE_CHANGED: {
        _EN: "Your schedule was changed. Please look it up in the clinic's system.",
        _DE: "Ihr Dienstplan wurde geändert. Bitte sehen Sie im System der Praxis nach.",
        _ES: "Su horario ha cambiado. Consúltelo en el sistema de la clínica.",
        _FR: "Votre planning a été modifié. Consultez-le dans le système de la clinique.",
    },
    StaffNotice.PLEASE_SIGN_IN: {
        _EN: "Something waits for you in the clinic's system. Please sign in.",
        _DE: "Im System der Praxis wartet etwas auf Sie. Bitte melden Sie sich an.",
        _ES: "Tiene algo pendiente en el sistema de la clínica. Inicie sesión, por favor.",
        _FR: "Une tâche vous attend dans le système de la clinique. Connectez-vous, s'il vous plaît.",
    },
}
