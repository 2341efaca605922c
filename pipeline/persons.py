"""Whether a party's name is a private person's: such a name is never kept.

A first, honest level: the form of the name, words that only organisations carry, and probablepeople (a conditional
random field trained on American filings) for what is left. It errs towards protecting people; a company named after
a person, without a legal form, may be hidden.
"""

import re
from collections.abc import Container
from typing import Final

from anyascii import anyascii

from pipeline.names import has_legal_form, normalise, squash

_TRADING_AS: Final = re.compile(r"\s(?:t/a|trading as|d/b/a|dba)\s", re.IGNORECASE)
_TITLE: Final = re.compile(
    r"^(?:mr|mrs|ms|miss|mx|dr|prof|sir|dame|sr|sra|srta|herr|frau|mme|mlle|monsieur|madame|sig|shri|smt)\b\.?\s+\S",
    re.IGNORECASE,
)
_SOLE_TRADER: Final = re.compile(r"^(?:ИП|ФОП|индивидуальный предприниматель)\s+\S", re.IGNORECASE)
_PATRONYMIC: Final = re.compile(r"(?:ович|евич|овна|евна|ична|инична|оглы|кызы)\b", re.IGNORECASE)
# A Brazilian sole trader's firm name ends with the person's CPF (11 digits) or stands behind a CNPJ root (8).
_TAX_NUMBER: Final = re.compile(r"(?:^\d{8,11}\s+|^\d{2}\.\d{3}\.\d{3}\s+|\s+\d{11}$)")
_FORM_INSIDE: Final = re.compile(
    r"\b(?:inc|llc|l\.l\.c|llp|rllp|ltd|ltda|corp|plc|pllc|gmbh|mbh|p\.a|p\.s\.c|eireli|lp)\b"
)
_HAN_NAME: Final = re.compile(r"^[王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹][\u4e00-\u9fff]{2}$")
_AT_LAW: Final = re.compile(r"\bat law\b", re.IGNORECASE)
_HAN_COUNTRIES: Final = frozenset([None, "CN", "HK", "MO", "SG", "TW"])
_TRAINED_ON: Final = frozenset(["AU", "CA", "GB", "IE", "NZ", "US"])
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*\.?")
_POST_NOMINALS: Final = frozenset(
    [
        "esq", "phd", "md", "jr", "sr", "ii", "iii", "iv", "dds", "cpa", "abbp", "attorney", "lawyer", "abogado",
        "advogado", "notary", "mba", "jd",
    ]
)  # fmt: skip
_OF_A_PERSON: Final = frozenset(
    [
        "da", "das", "de", "del", "della", "der", "di", "do", "dos", "du", "la", "le", "los", "van", "von", "ver",
        "bin", "binti", "ibn", "al", "el", "y", "e", "st", "mc", "mac", "ter", "ten", "zu",
    ]
)  # fmt: skip
# Words that are also common surnames (Church, Cruz, Hill, Park) are left out.
_ORGANISATION_WORDS: Final = """
    academy access accessories accounting acquisition action administration advanced advocacy affairs agencia agency
    agriculture ai air airport alliance alliances ambulance america american analytics and animal appliance
    architects arms army art arts asociacion asset assets associacao associates association atelier athletics audio
    authority auto automation automotive automotriz avenue aviation awardees ayuntamiento azienda bakery bancorp
    bank behavioral biometric biometrics board boats body borough box brain bros brothers budget builders building
    bureau bus business cabinet cabs cafe camera capital car care casino cattle center central centre centro chamber
    charities charter chemical chevrolet cia city cleaners cleaning clinic clinica cloud club co coast college
    collision comercial comercio comissao commerce commission committee commons commune communication communications
    community companies company computer computers comune concepts concrete condado connect connection connections
    conseil consejo consortium construction constructions consultancy consultants consulting consultores contracting
    contractor contractors control controls cooperativa cooperative corporate corporation correctional council
    county courier creative crime custom customs data defence defense dental departement department dept design
    designs deutsche developers development diagnostics digital diocese diputacion direccion direct direction
    directorate discount dispatch distribuidora distributing distribution distributors district division dog dogs
    drilling dynamics east eastern electric electrical electronic electronics elevator emergency empresa empresas
    energy enforcement engineering engineers england enterprise enterprises entertainment entity environmental
    equipment estate european excavating exchange express exterminating fabrication factory family farm farms
    federal federation fellows fence fencing film finance financial fire firm firstsource fit fitness fleet flight
    floors fluid food for forensic forensics foundation fund fundacao fundacion fundacja furniture fylkeskommune
    gallery games garage gemeente gemeinde general generators global gmina gobierno golf government graduate
    graphics group groupe gruppe gun guns hardware head health healthcare heating heights highway holding holdings
    homes honda horses hospitais hospital hospitales hotel house housing human hvac imaging impact imperial import
    imports independent india industrial industries industry information infrastructure innovation innovations
    innovative institut institute instituto instruments insurance integrated integration intelligence interior
    interiors international investment investments ip island islands janitorial joint jv kennel kennels kingdom
    kommun kommune krankenhaus kreis lab laboratories laboratory labs landkreis landscaping language laundry law
    leasing legal library lighthouse local locksmith logistica logistics machine machinery maintenance mairie
    management manufacturing marine market marketing mart material materials mechanical media medical metals metro
    metropolitan mfg migration military ministere ministerio ministerium ministry mobile mortgage motel motor motors
    municipal municipality municipio museum music nation national nations navy network networks nhs north northern
    nursery nursing obras of office offices on online operations optical optics orchestra organisation organization
    ospedale outdoor outdoors outfitters overall oy paint painting paper parking parks partners partnership parts
    party patrol paving payments people pest petroleum pharmacy photo photography physical pipe planning platforms
    plaza plumbing police pool postal powiat prefeitura press prestige printing prison prisons procurement produce
    production productions products professional program project projects propane properties property protection
    provincia public publishing quality quarter radio railway realty recovery recreation recycling red refrigeration
    refugee regents region regional rehabilitation relations rental rentals repair repairs rescue research resort
    resource resources restaurant restoration road roofing safe safety sales salon sanitation satellite school
    schools science sciences scientific scotland search seating secretaria secretariat secure security senate
    service services servicio servicios servicos sewer sheriff sheriffs shipping shooters shooting shop shops sign
    signs sociedad sociedade society software solar solution solutions source south southern space sports squad
    stadt stadtwerke state states station steel stichting storage store stores strategies stream studio studios
    suites suits supplies supply support surgical surveillance survey surveying system systems szpital tactical tax
    taxi taxis tec tech technical technologies technology tecnico tecnicos tecnologia telecom telecommunications
    telephone television testing texas textile the theater theatre therapy tire tires title tool tools tours tow
    towing town township tractor trade trading trailer trailers trainers training transit transition translation
    translations transport transportation transportes travel treasury tribe truck trucking trucks trust trustees
    turf undisclosed union united universidad universidade universidades universitat universite universitet
    universitetet universities university upholstery urban urzad us usa utilities utility valley vehicle vehicles
    venture ventures veterans veterinary video village virtual vision voice wales waste water web welding welfare
    western wholesale wildlife window wireless works workshop world yacht ymca youth zoo
"""
_OF_AN_ORGANISATION: Final = frozenset(_ORGANISATION_WORDS.split())

# Given names that are common elsewhere and missing from probablepeople's American list.
_GIVEN_NAMES: Final = """
    abdullah abdulrahman achieng agnieszka agus ahmet aitor ajay akosua aleksandr aleksey alessandro alexey ama amit
    anders andrei andrey andrzej anil arvind ashok asif aurelie babatunde benoit bilal bjorn budi cecilio chiara
    chinedu deepak dewi dmitri dmitry dragan ekaterina emeka evgeny ezio fabio fabricio facundo farhan federica
    ferenc francois gheorghe gianluca goran grzegorz guillaume henrik hernan hoang hossein hussein iker imran inigo
    ionut istvan janez jaroslaw jens jiri joao joaquim jordi juergen jukka jurgen kamau katarzyna kavita khalid
    kjell kofi krishnan krzysztof kwabena kwame lakshmi lars laszlo luca luiz mahesh mahmoud malgorzata manoj marko
    massimo matheus mathieu matias matteo matthias matti maximino mehdi mehmet mihai mikhail muhammad mukesh mustafa
    mwangi nenad nguyen niels nikolay njoroge oleksandr olusegun oluwaseun otieno paolo paulo pawel pekka petr
    philippe piotr pooja pradeep priya rahul rajesh rakesh ramesh reza rohit sandeep sanjay santosh sergei sergey
    siti somchai somsak soren srinivas sunil sunita suresh sven tahir thiago thierry tiago tomasz tunde ulrich uwe
    vaclav venkatesh vijay vinicius vinod vitoria vladimir volodymyr wahyu wanjiku wojciech wolfgang ximena yannick
    yaw youssef yusuf zainab zbigniew zdenek zoltan zoran
"""
_GIVEN_ELSEWHERE: Final = frozenset(_GIVEN_NAMES.split())


def _reads_as_person(words: list[str], names: list[str], country: str | None) -> bool:
    # Imported late: loading its model takes a tenth of a second.
    import probablepeople
    from probablepeople.gender import gender_names
    from probablepeople.ratios import ratios

    given = [word in gender_names or word in _GIVEN_ELSEWHERE for word in names]
    # It takes any two unknown words for a person; a given name, or names that Americans bear, must confirm it.
    borne = all(word.upper() in ratios for word in names)
    try:
        labels, kind = probablepeople.tag(" ".join(words).title())
        tagged = kind == "Person" and ("Surname" in labels or "MiddleInitial" in labels)
    except probablepeople.RepeatedLabelError:
        tagged = True  # what three names in a row without an initial cause
    if any(given) and (tagged or (borne and len(names) == 2)):
        return True
    # Four Portuguese or Spanish names in a row look like a company to it.
    if country not in _TRAINED_ON and len(names) >= 3 and any(given[:2]):
        return True
    return tagged and borne and country in {None, *_TRAINED_ON}


def is_natural_person(name: str, *, country: str | None = None, organisations: Container[str] = frozenset()) -> bool:
    """Whether `name` reads as a private person's rather than an organisation's.

    A legal form or a word that only organisations carry says no; a title, a sole trader's mark, 'SURNAME, GIVEN' or a
    name with an initial says yes; one word alone is taken for an organisation. `country` (ISO 3166 alpha-2) is where
    the party is; it admits marks that mean something only there. `organisations` holds squashed names
    (`pipeline.names.squash`) known to be organisations, such as the registry's. Never raises.
    """
    text = " ".join(name.split())
    if not text or squash(text) in organisations or normalise(text).key.replace(" ", "") in organisations:
        return False
    if _SOLE_TRADER.match(text) or _PATRONYMIC.search(text):
        return True
    if country in _HAN_COUNTRIES and _HAN_NAME.match(text):
        return True
    text = _TRADING_AS.split(text, maxsplit=1)[0]
    if country in {None, "BR"}:
        text = _TAX_NUMBER.sub(" ", text).strip() or text
    text = anyascii(text).strip(" ,;")
    if has_legal_form(text) or _FORM_INSIDE.search(text.casefold()):
        return False
    if any(char.isdigit() or char in "&/@+()" for char in text):
        return False
    words = [match.group().rstrip(".").casefold() for match in _WORD.finditer(_AT_LAW.sub("", text))]
    while len(words) > 2 and words[-1] in _POST_NOMINALS:
        words.pop()
    if len(words) < 2 or any(word in _OF_AN_ORGANISATION for word in words):
        return False
    names = [word for word in words if word not in _OF_A_PERSON]
    if _TITLE.match(text):
        return True
    if not 2 <= len(names) <= 5 or text.islower():
        return False
    if text.count(",") == 1 and len(text.split(",")[0].split()) <= 3:
        return True
    if len(names) >= 3 and len(names[0]) > 1 and 1 <= sum(len(word) == 1 for word in names[1:]) <= 2:
        return True
    return _reads_as_person(words, names, country)
