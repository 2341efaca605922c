"""Codes of TED's notices in the words of other standards: languages, countries and the forms of its older schema."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_LANGUAGES: Final = """
    BULbg CEScs DANda DEUde ELLel ENGen ESTet FINfi FRAfr GLEga HRVhr HUNhu ISLis ITAit LAVlv LITlt LTZlb MKDmk MLTmt
    NLDnl NORno NOBnb NNOnn POLpl PORpt RONro RUSru SLKsk SLVsl SPAes SQIsq SRPsr SWEsv TURtr UKRuk CATca EUSeu GLGgl
    BOSbs ARAar ZHOzh JPNja KATka ROHrm
"""
_COUNTRIES: Final = """
    ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT AZEAZ BDIBI BELBE
    BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BMUBM BOLBO BRABR BRBBB BRNBN BTNBT BVTBV BWABW
    CAFCF CANCA CCKCC CHECH CHLCL CHNCN CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX CYMKY
    CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ FLKFK FRAFR
    FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL GTMGT GUFGF GUMGU
    GUYGY HKGHK HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL ITAIT JAMJM JEYJE
    JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY LCALC LIELI LKALK LSOLS LTULT
    LUXLU LVALV MACMO MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM MNEME MNGMN MNPMP MOZMZ
    MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU NLDNL NORNO NPLNP NRUNR NZLNZ
    OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP PRTPT PRYPY PSEPS PYFPF QATQA REURE ROURO RUSRU
    RWARW SAUSA SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK
    SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ TKLTK TKMTM TLSTL TONTO TTOTT TUNTN TURTR TUVTV
    TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA
    ZMBZM ZWEZW XKXXK 1A0XK
"""
# ISO 639-2/T and ISO 3166 alpha-3, as eForms writes them, to ISO 639-1 and alpha-2.
LANGUAGES: Final[Mapping[str, str]] = MappingProxyType({code[:3]: code[3:] for code in _LANGUAGES.split()})
COUNTRIES: Final[Mapping[str, str]] = MappingProxyType({code[:3]: code[3:] for code in _COUNTRIES.split()})
# TED's older schema uses alpha-2 with the Union's own habits.
_HABITS: Final[Mapping[str, str]] = MappingProxyType({"UK": "GB", "EL": "GR", "1A": "XK", "KO": "XK"})
_ALPHA_2: Final = frozenset(COUNTRIES.values())


def country_of(code: str) -> str | None:
    """ISO 3166 alpha-2 of a country as eForms or TED's older schema writes it; None for another word."""
    word = code.strip().upper()
    if len(word) == 3:
        return COUNTRIES.get(word)
    word = _HABITS.get(word, word)
    return word if word in _ALPHA_2 else None


def language_of(code: str) -> str | None:
    """ISO 639-1 of a language as eForms (`ENG`) or TED's older schema (`EN`) writes it; None for another word."""
    word = code.strip()
    if len(word) == 3:
        return LANGUAGES.get(word.upper())
    return word.lower() if len(word) == 2 and word.isalpha() else None
