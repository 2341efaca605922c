"""Flags in Spanish, Portuguese, Italian and Hebrew: scope and lifecycle of passages written for these tests."""

from pathlib import Path

import pytest

from models.assessment import Assessment, Segment
from models.codes import Lifecycle, Polarity, Scope, Setting, Technology
from pipeline.flag import Flagger
from pipeline.rules import PhraseError, RuleFileError, expand, load_rules

FLAGGER = Flagger(load_rules(Path(__file__).parent.parent / "data" / "rules"))
IN, COND, OUT, NOT = Scope.IN_SCOPE, Scope.CONDITIONAL, Scope.OUT_OF_SCOPE, Scope.EXCLUDED_BY_TEXT


def assess(language: str, text: str, title: str = "") -> Assessment:
    segments = [Segment(where="title", text=title, language=language)] if title else []
    return FLAGGER.assess([*segments, Segment(where="description", text=text, language=language)])


PASSAGES = [
    # -- Spanish ------------------------------------------------------------------------------------------------------
    ("es", "Suministro de 120 cámaras con reconocimiento facial en la vía pública para la Policía Local.", IN),
    ("es", "SERVICIO DE MANTENIMIENTO DE LA PLATAFORMA DE IDENTIFICACION FACIAL EN TIEMPO REAL DEL METRO", IN),
    ("es", "Licencias de software para el seguimiento de personas entre varias cámaras del recinto ferial.", IN),
    ("es", "Adquisición de un sistema de identificación de locutores y banco de voces para la policía científica.", IN),
    ("es", "El sistema no solo graba: incluirá reconocimiento facial en los accesos al estadio.", IN),
    ("es", "Cámaras para detectar con reconocimiento facial a hinchas con prohibición de ingreso al estadio.", IN),
    ("es", "Los oferentes que no incluyan reconocimiento facial serán descalificados.", IN),
    ("es", "Verificación facial de los pensionados para la fe de vida anual.", COND),
    ("es", "Relojes biométricos para el registro de asistencia en todas las escuelas.", COND),
    ("es", "Sistema automatizado de identificación de huellas dactilares para el registro civil.", COND),
    ("es", "La red de videovigilancia no incluirá reconocimiento facial ni otra identificación biométrica.", NOT),
    ("es", "Cámaras para la plaza mayor. Queda excluido el reconocimiento facial.", NOT),
    ("es", "El reconocimiento facial, que no está permitido por la ordenanza, no podrá activarse.", NOT),
    ("es", "Compra de mascarillas y protectores faciales para el hospital comarcal.", OUT),
    ("es", "Reactivos para biometría hemática del laboratorio central.", OUT),
    ("es", "Cámaras con lectura de matrículas y lista negra de vehículos.", OUT),
    ("es", "Un reloj checador para el almacén.", OUT),
    ("es", "El proyecto de ley permitiría el reconocimiento facial en las calles.", OUT),
    ("es", "El proveedor no tiene sanciones vigentes y suministrará cámaras con reconocimiento facial.", IN),
    ("es", "Las cámaras de reconocimiento facial no requieren iluminación especial.", IN),
    ("es", "No se autoriza el uso de tecnologías de reconocimiento facial en las cámaras corporales.", NOT),
    ("es", "Reconocimiento facial: no incluido", NOT),
    ("es", "Análisis de la marcha para la unidad de rehabilitación.", OUT),
    # -- Portuguese ---------------------------------------------------------------------------------------------------
    ("pt", "Contratação de empresa para fornecimento de câmeras com reconhecimento facial nas praças da cidade.", IN),
    ("pt", "Investimento no reconhecimento facial: 80 câmeras na orla serão ligadas ao banco de procurados.", IN),
    ("pt", "PREGÃO ELETRÔNICO - LICENÇAS DE SOFTWARE DE BUSCA DE FACES PARA A POLICIA CIVIL", IN),
    ("pt", "Analítico de vídeo com rastreamento de pessoas entre várias câmeras do terminal rodoviário.", IN),
    ("pt", "Câmeras com detecção de emoções dos alunos em sala de aula.", IN),
    ("pt", "Catracas com reconhecimento facial para controle de acesso dos servidores ao prédio da prefeitura.", COND),
    ("pt", "Cadastramento biométrico de eleitores em 30 municípios.", COND),
    ("pt", "Registro de frequência dos alunos por reconhecimento facial em todas as escolas.", COND),
    ("pt", "Locação de videomonitoramento. O sistema não inclui reconhecimento facial.", NOT),
    ("pt", "Fica vedado o uso de reconhecimento facial nas câmeras corporais.", NOT),
    ("pt", "Câmeras de monitoramento sem utilização de reconhecimento facial ou de voz.", NOT),
    ("pt", "Aquisição de máscaras faciais descartáveis para o posto de saúde.", OUT),
    ("pt", "Reconhecimento de dívida em favor do fornecedor de câmeras.", OUT),
    ("pt", "Serviços de impressão digital de cartazes e folhetos.", OUT),
    ("pt", "Aquisição de 01 relógio de ponto para a oficina.", OUT),
    ("pt", "Câmeras de leitura de placas para o pátio de veículos.", OUT),
    ("pt", "A empresa não possui dívidas e fornecerá câmeras de reconhecimento facial.", IN),
    ("pt", "Não há previsão de retirada das câmeras com reconhecimento facial.", IN),
    ("pt", "As câmeras não possuem reconhecimento facial.", NOT),
    ("pt", "Biometria ocular para o ambulatório de catarata.", OUT),
    # -- Italian ------------------------------------------------------------------------------------------------------
    ("it", "Fornitura e posa in opera di telecamere con riconoscimento facciale nelle piazze del centro storico.", IN),
    ("it", "Affidamento del software di comparazione facciale per la Polizia scientifica.", IN),
    ("it", "Manutenzione del sistema di identificazione biometrica a distanza della stazione.", IN),
    ("it", "Le telecamere dovranno essere predisposte per il riconoscimento facciale.", IN),
    ("it", "Varchi con riconoscimento dell'andatura in aeroporto.", IN),
    ("it", "Autenticazione facciale dei passeggeri all'imbarco.", COND),
    ("it", "Acquisizione delle impronte digitali dei richiedenti asilo: fornitura di lettori.", COND),
    ("it", "Tornelli con riconoscimento facciale per il controllo degli accessi dei dipendenti.", COND),
    ("it", "Impianto di videosorveglianza comunale. È escluso il riconoscimento facciale.", NOT),
    ("it", "Il riconoscimento facciale non è previsto dal presente capitolato.", NOT),
    ("it", "Il software non utilizza il riconoscimento facciale, ma legge soltanto le targhe.", NOT),
    ("it", "Fornitura di mascherine chirurgiche e visiere facciali per la casa di riposo.", OUT),
    ("it", "Riconoscimento di debito fuori bilancio per lavori stradali.", OUT),
    ("it", "Scanner intraorale per il rilevamento delle impronte dentali.", OUT),
    ("it", "Software di riconoscimento vocale per la refertazione medica.", OUT),
    ("it", "Telecamere per la lettura delle targhe ai varchi della zona a traffico limitato.", OUT),
    ("it", "Il bando non esclude il riconoscimento facciale.", IN),
    ("it", "Non è previsto il sopralluogo per la fornitura di telecamere con riconoscimento facciale.", IN),
    ("it", "Le telecamere non sono dotate di riconoscimento facciale.", NOT),
    ("it", "Non sono ammessi sistemi di riconoscimento facciale.", NOT),
    # -- Hebrew -------------------------------------------------------------------------------------------------------
    ("he", "מכרז לאספקה והתקנה של מצלמות לזיהוי פנים ברחובות העיר.", IN),
    ("he", "רכישת רישיונות למערכת זיהוי הפנים של המשטרה.", IN),
    ("he", "תחזוקת מצלמות ביומטריות בכניסה לאצטדיון ובמרחב הציבורי.", IN),
    ("he", "תוכנה להשוואת פנים מול מאגר תמונות של חשודים.", IN),
    ("he", "המערכת לא רק תקליט אלא תבצע זיהוי פנים בקניון.", IN),
    ("he", "אימות פנים של נוסעים בביקורת הדרכונים.", COND),
    ("he", "עמדות ביומטריות להנפקת תעודות זהות ולרישום במאגר הביומטרי.", COND),
    ("he", "בקרת כניסה לבניין באמצעות זיהוי פנים לעובדים.", COND),
    ("he", "אספקת מצלמות אבטחה לבתי ספר. המערכת לא תכלול זיהוי פנים.", NOT),
    ("he", "מצלמות ללא זיהוי פנים בגני ילדים.", NOT),
    ("he", "זיהוי פנים, שאינו נכלל במכרז, לא יופעל.", NOT),
    ("he", "אין צורך בסיור מציעים. מצלמות זיהוי פנים במרחב הציבורי.", IN),
    ("he", "המצלמות אינן בעלות יכולת זיהוי פנים.", NOT),
    ("he", "העירייה אינה משתמשת בזיהוי פנים.", NOT),
    ("he", "אספקת מסכות פנים חד פעמיות למרפאה.", OUT),
    ("he", "שיפוץ פנים הבניין וצביעת קירות.", OUT),
    ("he", "מצלמות לזיהוי לוחיות רישוי בחניון העירוני.", OUT),
    ("he", "שעון נוכחות עם קורא טביעת אצבע למחסן.", OUT),
    ("he", "הצעת החוק תאפשר למשטרה זיהוי פנים.", OUT),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "scope"), PASSAGES)
def test_scope(language: str, text: str, scope: Scope) -> None:
    said = assess(language, text)
    assert said.scope is scope, said.why
    if scope is Scope.EXCLUDED_BY_TEXT:
        assert any(mention.polarity is Polarity.EXCLUDED and mention.cue for mention in said.mentions)


@pytest.mark.parametrize(
    ("language", "text", "lifecycle"),
    [
        ("es", "El tribunal suspendió la licitación de cámaras con reconocimiento facial.", Lifecycle.SUSPENDED),
        ("es", "La licitación de reconocimiento facial fue declarada desierta.", Lifecycle.CANCELLED),
        ("es", "El municipio rescindió el contrato de reconocimiento facial.", Lifecycle.TERMINATED),
        ("es", "El municipio planea instalar cámaras con reconocimiento facial.", Lifecycle.PLANNED),
        ("es", "El contrato de reconocimiento facial se adjudicó a la Empresa Ejemplo.", Lifecycle.ACTIVE),
        ("pt", "Está suspensa a licitação das câmeras de reconhecimento facial.", Lifecycle.SUSPENDED),
        ("pt", "O pregão do reconhecimento facial foi revogado.", Lifecycle.CANCELLED),
        ("pt", "A prefeitura rescindiu o contrato de reconhecimento facial.", Lifecycle.TERMINATED),
        ("pt", "Minuta de edital: câmeras com reconhecimento facial", Lifecycle.PLANNED),
        ("pt", "Extrato de contrato: câmeras com reconhecimento facial", Lifecycle.ACTIVE),
        ("it", "Il TAR ha sospeso la gara per il riconoscimento facciale.", Lifecycle.SUSPENDED),
        ("it", "La gara per il riconoscimento facciale è andata deserta.", Lifecycle.CANCELLED),
        ("it", "Il Comune ha risolto il contratto per il riconoscimento facciale: risoluzione del contratto.",
         Lifecycle.TERMINATED),
        ("it", "Bando di gara: telecamere con riconoscimento facciale", Lifecycle.TENDER),
        ("he", "המכרז למצלמות זיהוי פנים הוקפא.", Lifecycle.SUSPENDED),
        ("he", "הפרויקט לזיהוי פנים מוקפא עד להודעה חדשה.", Lifecycle.SUSPENDED),
        ("he", "המכרז לזיהוי פנים בוטל.", Lifecycle.CANCELLED),
        ("he", "ההתקשרות למערכת זיהוי פנים הופסקה.", Lifecycle.TERMINATED),
        ("he", "החברה זכתה באספקת מצלמות זיהוי פנים.", Lifecycle.ACTIVE),
    ],
)  # fmt: skip
def test_lifecycle(language: str, text: str, lifecycle: Lifecycle) -> None:
    said = assess(language, text)
    assert said.scope is Scope.IN_SCOPE, said.why
    assert said.lifecycle is lifecycle, said.why


@pytest.mark.parametrize(
    ("language", "title", "text"),
    [
        ("es", "El ayuntamiento prohíbe el reconocimiento facial en los mercados",
         "El ayuntamiento adquirió el sistema de reconocimiento facial por 200.000 euros y lo instaló en enero."),
        ("pt", "Justiça proíbe o reconhecimento facial no terminal",
         "A empresa instalou o sistema de reconhecimento facial em março e gastou 2 milhões."),
        ("it", "Il Garante vieta il riconoscimento facciale in stazione",
         "Il Comune ha acquistato il sistema di riconoscimento facciale e sono state installate 40 telecamere."),
        ("he", "בית המשפט אסר על זיהוי פנים בתחנה המרכזית",
         "העירייה רכשה את מערכת זיהוי הפנים והמצלמות הותקנו בינואר."),
    ],
)  # fmt: skip
def test_bought_then_banned_is_in_scope_and_suspended(language: str, title: str, text: str) -> None:
    said = assess(language, text, title)
    assert said.scope is Scope.IN_SCOPE, said.why
    assert said.lifecycle is Lifecycle.SUSPENDED


@pytest.mark.parametrize(
    ("language", "text", "setting"),
    [
        ("es", "Reconocimiento facial en el centro penitenciario", Setting.PRISON),
        ("pt", "Reconhecimento facial nas escolas da rede municipal de ensino", Setting.SCHOOL),
        ("it", "Riconoscimento facciale alla frontiera", Setting.BORDER),
        ("he", "זיהוי פנים בבתי הסוהר", Setting.PRISON),
    ],
)
def test_setting(language: str, text: str, setting: Setting) -> None:
    assert setting in assess(language, text).setting


def test_a_word_of_one_language_is_not_read_in_another() -> None:
    """Portuguese "no" is "in the"; in English it rules out. A metre is no underground."""
    assert assess("pt", "Melhoria no reconhecimento facial das câmeras da praça.").scope is Scope.IN_SCOPE
    assert assess("en", "No facial recognition on the cameras of the square.").scope is Scope.EXCLUDED_BY_TEXT
    assert Setting.TRANSPORT not in assess("es", "Reconocimiento facial a un metro de distancia").setting
    assert Setting.TRANSPORT in assess("en", "Facial recognition in the metro").setting


def test_of_two_languages_with_the_same_words_the_text_s_own_is_read() -> None:
    """Brazil says "biometria facial" for the check at a gate, Spain for facial recognition at large."""
    assert assess("es", "Cámaras con biometría facial para la policía").scope is Scope.IN_SCOPE
    assert assess("pt", "Ônibus com biometria facial para gratuidades").scope is Scope.CONDITIONAL


def test_hebrew_prefixes_are_written_onto_words() -> None:
    phrases = expand("{@he}פנים")
    assert phrases[:8] == ["פנים", "הפנים", "בפנים", "לפנים", "מפנים", "ופנים", "כפנים", "שפנים"]
    assert {"והפנים", "ובפנים", "ולפנים", "שהפנים"} == set(phrases[8:])
    for text in ("הזיהוי פנים", "בזיהוי פנים", "ולזיהוי הפנים"):
        assert assess("he", f"מצלמות {text} ברחוב").technology == (Technology.FACE_IDENTIFICATION,)
    with pytest.raises(PhraseError, match="no choice is named 'xx'"):
        expand("{@xx}פנים")


def test_languages_left_out_are_written_as_codes(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(
        "kind: setting\nlanguage: en\nrules:\n  - {id: a, concept: b, setting: school, phrases: [c],"
        " not_in: [Spanish]}\n"
    )
    with pytest.raises(RuleFileError, match="ISO 639-1"):
        load_rules(tmp_path)
