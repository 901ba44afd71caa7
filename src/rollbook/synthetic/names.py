"""Given names and surnames in many scripts, with their letters inside an address.

The lists were made for this project from common names; they mean no real person. A name in another script is
written `native=latin`, because an email address needs Latin letters. Accents are removed from Latin names by
rule.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

# Letters that Unicode does not split into a plain letter and an accent.
PLAIN_LETTERS = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"})


class Name(NamedTuple):
    """A name as it is written, and in the letters a to z only."""

    text: str
    latin: str


class Culture(NamedTuple):
    """The origin of a family's names, and what usually goes with them; a share is 0..1."""

    code: str
    slots: int
    """How many of the 128 places of the wheel it has: 64 is half of all families."""
    girls: tuple[Name, ...]
    boys: tuple[Name, ...]
    surnames: tuple[Name, ...]
    races: tuple[str, ...]
    """Letters as SIS files write them, repeated by weight: A, B, I, M, P, W; an empty text is none given."""
    hispanic_share: float
    languages: tuple[str, ...]
    """Home languages, repeated by weight; an empty text is none given."""


# code, slots, girls, boys, surnames, races, hispanic share, languages; `*n` is n times
_LISTS: tuple[tuple[str, int, str, str, str, str, float, str], ...] = (
    (
        "english",
        65,
        (
            "Abigail Ada Alice Amber Amelia Anna Ava Beatrice Brooke "
            "Caroline Charlotte Chloe Clara Daisy Eleanor Eliza Ella "
            "Emily Emma Evelyn Faith Fiona Grace Hannah Harper Hazel "
            "Holly Iris Isla Ivy Jada Jane Jasmine Josephine Julia "
            "Kayla Kiara Laura Leah Lily Lucy Mabel Madison Maya Mia "
            "Molly Naomi Nina Nora Olivia Paige Penelope Piper Quinn "
            "Rose Ruby Ruth Sarah Scarlett Stella Tessa Tiana Violet Willow Zoe Anne-Marie Mary-Kate Imani Aaliyah Q"
        ),
        (
            "Aaron Adam Alexander Andrew Asher Benjamin Blake Caleb "
            "Cameron Carter Charles Chase Christopher Connor Daniel "
            "David Dominic Edward Eli Elijah Ethan Evan Felix Finn "
            "Gabriel Gavin George Grant Harrison Henry Hudson Hugo Ian "
            "Isaac Jack Jackson James Jamal Jayden Joel John Jonah Joseph "
            "Joshua Julian Kevin Leo Levi Liam Logan Lucas Luke "
            "Malik Marcus Mason Matthew Micah Nathan Noah Oliver Owen "
            "Parker Peter Quentin Ryan Samuel Sean Silas Theodore "
            "Thomas Tyler Victor Walter William Wyatt Xavier Zachary Jean-Luc J"
        ),
        (
            "Adams Allen Archer Bailey Baker Barnes Bennett Bishop "
            "Booker Brooks Brown Bryant Carter Chambers Clark Coleman "
            "Collins Cooper Cross Davis Dawson Dixon Ellis Evans "
            "Fisher Fletcher Ford Foster Franklin Freeman Gardner Gibson "
            "Gordon Graham Grant Gray Greene Hale Hall Hamilton Harper "
            "Harris Hart Hayes Henderson Hicks Holland Holmes Hughes "
            "Hunt Jackson James Jefferson Jenkins Johnson Jones Jordan Kelly "
            "King Lawson Lewis Marsh Marshall Mason Miles Mills "
            "Mitchell Moore Morgan Morris Nelson Newton O'Brien O'Neill "
            "Owens Palmer Parker Perry Pierce Porter Powell Reed "
            "Reynolds Rhodes Richards Rivers Roberts Robinson Rogers Ross "
            "Russell Sanders Shaw Simmons Smith Spencer Stone "
            "Sutton Taylor Thomas Tucker Turner Walker Walsh Ward Washington "
            "Watkins Webb West White Williams Wilson Wood Wright "
            "Young Smith-Jones Carter-Hall Lloyd-Marsh Reed-Walker D'Arcy N'Dour McAllister MacLeod O'Hara St.Clair"
        ),
        "W*22 B*10 M*3 I A *3",
        0.03,
        "English*24 Somali ",
    ),
    (
        "spanish",
        30,
        (
            "Alejandra Alma Ana Araceli Beatriz Camila Carolina Catalina "
            "Daniela Elena Esperanza Esther Gabriela Guadalupe Inés "
            "Isabel Jimena Lucía Luz Marisol María Mónica Paloma "
            "Pilar Rocío Sofía Valentina Verónica Ximena Yolanda Zoé Begoña"
        ),
        (
            "Adrián Alejandro Andrés Ángel Antonio Benjamín César Cristóbal "
            "Diego Emilio Esteban Fernando Francisco Gael Héctor "
            "Iván Javier Jesús José Juan Julián Leonardo Luis Manuel "
            "Mateo Miguel Nicolás Óscar Pablo Rafael Raúl Santiago Tomás"
        ),
        (
            "Acosta Aguilar Álvarez Ávila Cabrera Campos Castillo "
            "Cervantes Contreras Cortés Delgado Díaz Domínguez Espinoza "
            "Estrada Fernández Flores Fuentes García Gómez González "
            "Guerrero Gutiérrez Hernández Herrera Ibáñez Jiménez López "
            "Luna Márquez Martínez Medina Méndez Molina Morales Muñoz Núñez "
            "Ortega Ortiz Peña Pérez Ramírez Reyes Ríos Rivera "
            "Rodríguez Rojas Romero Ruiz Salazar Sánchez Santiago "
            "Soto Torres Valdez Vargas Vázquez Zúñiga García-Luna "
            "Pérez-Soto De~la~Cruz"
        ),
        "W*10 M*3 B I *5",
        0.95,
        "Spanish*16 English*12 Spanish",
    ),
    (
        "european",
        10,
        (
            "Agnès Åsa Bärbel Chloë Dagný Élodie Eszter Françoise "
            "Giulia Hélène Ilse Jagoda Júlia Kateřina Łucja Małgorzata "
            "Noémie Renée Siân Solène Şebnem Zoë Željka Ōlga"
        ),
        (
            "André Bjørn Björn Çetin Dário Émile François Gérard Håkon "
            "İlker Jiří Jürgen Kåre László Łukasz Mårten Michał "
            "Ömer René Søren Štefan Tomáš Zdeněk Óli"
        ),
        (
            "Åberg Almeida Błaszczyk Bréal Çelik Dvořák Ferreira "
            "Fürst Gonçalves Großmann Håkansson Jørgensen Kovács Kőrösi "
            "Lefèvre Łapiński Müller Nuñes Öztürk Pettersson Šimić "
            "Sørensen Świderski Şahin Tóth Vondráček Weiß Zieliński "
            "D'Angelo De~Vries Van~der~Meer L'Écuyer"
        ),
        "W*8 M",
        0.05,
        "English*14 Polish Portuguese French German Turkish Bosnian Polish",
    ),
    (
        "vietnamese",
        5,
        (
            "Ánh Bích Châu Diễm Giang Hạnh Hương Khánh Lan Mỹ Ngọc Như Phương Quỳnh Thảo Thùy "
            "Trâm Tuyết Uyên Yến"
        ),
        "An Bảo Cường Dũng Đạt Đức Hải Hiếu Hoàng Hùng Khoa Long Minh Nam Phúc Quang Sơn Thắng Tuấn Việt",
        (
            "Bùi Cao Đặng Đinh Đỗ Dương Hồ Hoàng Huỳnh Lâm Lê Lương Mai Ngô Nguyễn Phạm Phan "
            "Tạ Trần Trịnh Trương Võ Vũ"
        ),
        "A*8 M",
        0.0,
        "Vietnamese Vietnamese Vietnamese English",
    ),
    (
        "filipino",
        3,
        "Amihan Bituin Cora Dalisay Ligaya Luzviminda Maricel Mayumi Rowena Tala",
        "Amado Bayani Crisanto Danilo Ernesto Isagani Jomar Makisig Rodel Virgilio",
        (
            "Abad Agbayani Bautista Catacutan Dimaculangan Galang Ilagan Lacson Macaraeg "
            "Magsaysay Panganiban Tolentino Uy O Yu"
        ),
        "A*6 P M",
        0.1,
        "Tagalog Tagalog Ilocano English English",
    ),
    (
        "chinese",
        3,
        "佳怡=jiayi 雨桐=yutong 欣然=xinran 思琪=siqi 梓涵=zihan 美玲=meiling 静=jing 晓月=xiaoyue 若曦=ruoxi 兰=lan",
        (
            "浩然=haoran 子轩=zixuan 明=ming 志强=zhiqiang 宇航=yuhang 俊杰=junjie 伟=wei 天佑=tianyou 建国=jianguo 磊=lei"
        ),
        (
            "王=wang 李=li 张=zhang 刘=liu 陈=chen 杨=yang 黄=huang 赵=zhao 吴=wu 周=zhou 徐=xu 孙=sun "
            "马=ma 欧阳=ouyang 司徒=situ"
        ),
        "A*8 ",
        0.0,
        "Mandarin Mandarin Cantonese Chinese English",
    ),
    (
        "arabic",
        3,
        (
            "آمنة=amna أمل=amal بسمة=basma خديجة=khadija دانا=dana رنا=rana "
            "زينب=zainab سارة=sara ليلى=layla مريم=maryam نور=noor هدى=huda"
        ),
        (
            "أحمد=ahmad إبراهيم=ibrahim بلال=bilal حسن=hassan خالد=khalid سامي=sami "
            "عمر=omar فارس=faris كريم=karim ماجد=majid يوسف=yousef زيد=zaid"
        ),
        (
            "الحداد=alhaddad النجار=alnajjar الخطيب=alkhatib السيد=alsayed منصور=mansour صالح=saleh حمدان=hamdan "
            "قاسم=qasim ناصر=nasser يعقوب=yaqub عبدالله=abdullah الرفاعي=alrifai"
        ),
        "W*5 M *2",
        0.0,
        "Arabic Arabic Arabic English",
    ),
    (
        "cyrillic",
        2,
        (
            "Анна=anna Виктория=viktoria Дарья=darya Екатерина=ekaterina "
            "Злата=zlata Ирина=irina Леся=lesya Марія=maria "
            "Оксана=oksana Соломія=solomia Юлія=yulia Ђурђа=djurdja"
        ),
        (
            "Алексей=aleksei Богдан=bohdan Володимир=volodymyr Григорий=grigory "
            "Дмитро=dmytro Іван=ivan Леонид=leonid "
            "Микола=mykola Олег=oleg Сергей=sergei Тарас=taras Юрий=yuri"
        ),
        (
            "Бондаренко=bondarenko Волкова=volkova Гончар=honchar Дорошенко=doroshenko "
            "Жук=zhuk Зайцев=zaitsev Іваненко=ivanenko "
            "Ковальчук=kovalchuk Лебедев=lebedev Морозов=morozov Соловей=solovei Шевчук=shevchuk Юрченко=yurchenko"
        ),
        "W*8 ",
        0.0,
        "Russian Ukrainian Ukrainian English",
    ),
    (
        "devanagari",
        2,
        (
            "अनन्या=ananya आशा=asha ईशा=isha कविता=kavita दीपिका=deepika नेहा=neha "
            "पूजा=pooja मीरा=meera रितु=ritu सीता=sita"
        ),
        (
            "अमित=amit अर्जुन=arjun आदित्य=aditya करण=karan गणेश=ganesh प्रकाश=prakash "
            "राहुल=rahul रोहन=rohan विजय=vijay सूरज=suraj"
        ),
        (
            "अग्रवाल=agrawal गुप्ता=gupta चौधरी=chaudhary जोशी=joshi ठाकुर=thakur "
            "तिवारी=tiwari थापा=thapa पटेल=patel शर्मा=sharma श्रेष्ठ=shrestha"
        ),
        "A*7 M",
        0.0,
        "Hindi Hindi Nepali English Hindi",
    ),
    (
        "korean",
        2,
        (
            "가은=gaeun 나연=nayeon 다은=daeun 민서=minseo 서연=seoyeon 수아=sua 예린=yerin 유진=yujin 지우=jiwoo 하윤=hayun"
        ),
        (
            "건우=geonwoo 도윤=doyun 민준=minjun 서준=seojun 성민=seongmin 시우=siwoo 영호=youngho "
            "우진=woojin 준=jun 현우=hyunwoo"
        ),
        "김=kim 이=lee 박=park 최=choi 정=jung 강=kang 조=cho 윤=yoon 장=jang 임=lim 오=oh 남궁=namgung",
        "A",
        0.0,
        "Korean Korean English",
    ),
    (
        "japanese",
        1,
        "葵=aoi 桜=sakura 結衣=yui さくら=sakura 美咲=misaki ひなた=hinata 陽菜=hina 遥=haruka",
        "翔太=shota 大輔=daisuke 蓮=ren 悠斗=yuto 健太=kenta タケシ=takeshi 陸=riku 誠=makoto",
        (
            "佐々木=sasaki 高橋=takahashi 田中=tanaka 伊藤=ito 渡辺=watanabe "
            "小林=kobayashi 加藤=kato 山口=yamaguchi 林=hayashi 森=mori"
        ),
        "A*6 M",
        0.0,
        "Japanese Japanese English",
    ),
    (
        "hebrew",
        1,
        "אביגיל=avigail דנה=dana חנה=hana טליה=talia יעל=yael מיכל=michal נועה=noa שירה=shira",
        "אורי=uri אלון=alon גיל=gil דוד=david יונתן=yonatan עומר=omer רון=ron תמיר=tamir",
        (
            "אברהמי=avrahami ביטון=biton גולן=golan דיין=dayan כהן=cohen לוי=levi "
            "מזרחי=mizrahi פרץ=peretz שלום=shalom"
        ),
        "W*7 ",
        0.0,
        "Hebrew English English",
    ),
    (
        "greek",
        1,
        (
            "Αθηνά=athina Βασιλική=vasiliki Δήμητρα=dimitra Ελένη=eleni Ζωή=zoi "
            "Κατερίνα=katerina Μαρία=maria Σοφία=sofia"
        ),
        (
            "Αλέξανδρος=alexandros Γιώργος=giorgos Δημήτρης=dimitris Ηλίας=ilias "
            "Κώστας=kostas Νίκος=nikos Πέτρος=petros Σπύρος=spyros"
        ),
        (
            "Αγγελόπουλος=angelopoulos Βλάχος=vlachos Γεωργίου=georgiou Δημητρίου=dimitriou Καραγιάννης=karagiannis "
            "Νικολαΐδης=nikolaidis Οικονόμου=oikonomou Παππάς=pappas"
        ),
        "W",
        0.0,
        "English English English",
    ),
)


def latin(text: str) -> str:
    """`text` in the letters a-z alone: lower case, without accents, blanks, hyphens and apostrophes."""
    apart = unicodedata.normalize("NFKD", text.lower().translate(PLAIN_LETTERS))
    return "".join(letter for letter in apart if "a" <= letter <= "z")


@cache
def cultures() -> tuple[Culture, ...]:
    """All cultures, commonest first; their slots add up to 128."""
    return tuple(
        Culture(
            code,
            slots,
            _names(girls),
            _names(boys),
            _names(surnames),
            _words(races),
            share,
            _words(languages),
        )
        for code, slots, girls, boys, surnames, races, share, languages in _LISTS
    )


@cache
def wheel() -> tuple[Culture, ...]:
    """128 places, dealt so that every few dozen places hold most cultures."""
    dealt = [culture for culture in cultures() for _ in range(culture.slots)]
    # 75 and 128 have no common factor, so each place is taken exactly once.
    return tuple(dealt[(place * 75) % len(dealt)] for place in range(len(dealt)))


def _names(listed: str) -> tuple[Name, ...]:
    return tuple(_name(word) for word in listed.split())


def _name(word: str) -> Name:
    text, _, spelled = word.replace("~", " ").partition("=")
    return Name(text, spelled or latin(text))


def _words(listed: str) -> tuple[str, ...]:
    """The words of a list, each repeated by its weight: `W*3 B ` is three W, one B and an empty text."""
    return tuple(
        word
        for entry in listed.split(" ")
        for word, _, times in [entry.partition("*")]
        for _ in range(int(times or 1))
    )
