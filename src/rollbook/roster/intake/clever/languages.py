"""The words for home languages in files, as rows: names, three-letter codes and two-letter codes.

Names and served codes are those of the contract. ISO 639-2 has two codes for twenty languages: the contract
serves the terminological one (`deu`); exports also write the bibliographic one (`ger`).
"""

from __future__ import annotations

from typing import Final

from rollbook.contract.clever.fields import LANGUAGES

# Names that a help article accepts as input and the specification does not serve; two have no code there.
_HELP_NAMES: Final = {
    "cambodian (khmer)": "Khmer",
    "meiteilon (manipuri)": "Manipuri",
    "nyanja (chichewa)": "Chichewa",
    "sepedi": "Northern Sotho",
    "akateko": "Other",
    "q'anjob'al": "Other",
}
# ISO 639 names of languages with another name in the contract.
_ISO_NAMES: Final = {
    "persian": "Farsi",
    "lao": "Laotian",
    "panjabi": "Punjabi",
    "haitian": "Haitian Creole",
    "mandarin chinese": "Mandarin",
    "pilipino": "Filipino",
}
# ISO 639-2: bibliographic code and terminological code.
_BIBLIOGRAPHIC: Final = """
    alb sqi  arm hye  baq eus  bur mya  chi zho  cze ces  dut nld  fre fra  geo kat  ger deu
    gre ell  ice isl  mac mkd  mao mri  may msa  per fas  rum ron  slo slk  tib bod  wel cym
"""
# ISO 639-1, with the three-letter code. `no` is left out: in a file it may mean "no".
_TWO_LETTERS: Final = """
    af afr  am amh  ar ara  as asm  ay aym  az aze  ba bak  be bel  bg bul  bm bam  bn ben  bo bod  bs bos  ca cat  co cos
    cs ces  cy cym  da dan  de deu  dv div  ee ewe  el ell  en eng  es spa  et est  eu eus  fa fas  fi fin  fj fij  fo fao
    fr fra  fy fry  ga gle  gd gla  gl glg  gn grn  gu guj  ha hau  he heb  hi hin  hr hrv  ht hat  hu hun  hy hye  id ind
    ig ibo  is isl  it ita  iu iku  ja jpn  jv jav  ka kat  kk kaz  km khm  kn kan  ko kor  ku kur  ky kir  lb ltz  lg lug
    ln lin  lo lao  lt lit  lv lav  mg mlg  mh mah  mi mri  mk mkd  ml mal  mn mon  mr mar  ms msa  mt mlt  my mya  nb nob
    ne nep  nl nld  ny nya  om orm  or ori  pa pan  pl pol  ps pus  pt por  qu que  rn run  ro ron  ru rus  rw kin  sd snd
    si sin  sk slk  sl slv  sm smo  sn sna  so som  sq sqi  sr srp  st sot  su sun  sv swe  sw swa  ta tam  te tel  tg tgk
    th tha  ti tir  tk tuk  tl tgl  tn tsn  to ton  tr tur  ts tso  tt tat  tw twi  ty tah  ug uig  uk ukr  ur urd  uz uzb
    vi vie  xh xho  yi yid  yo yor  zh zho  zu zul
"""


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_BY_CODE: Final = {language.code: language.name for language in LANGUAGES}
# Every word in lower case, with the name of its language.
LANGUAGE_WORDS: Final = {
    **{word: _BY_CODE[code] for word, code in (_pairs(_TWO_LETTERS) | _pairs(_BIBLIOGRAPHIC)).items()},
    # `iku` is also accepted for Inuinnaqtun; a language's own code takes precedence.
    **{code: language.name for language in LANGUAGES for code in language.accepted_codes},
    **_BY_CODE,
    **_ISO_NAMES,
    **_HELP_NAMES,
    **{language.name.lower(): language.name for language in LANGUAGES},
}
