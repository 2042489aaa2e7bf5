"""Writes tests/eval/fixtures/chrf.json: chrF2 of sacrebleu for sentences in many scripts.

    /opt/frond-venv/bin/python tests/reference/make_chrf_fixture.py
"""

import json
import pathlib
import random

import sacrebleu

PAIRS = [
    ("The cat sat on the mat.", "The cat sat on the mat."),
    ("The cat sat on the mat.", "A cat is sitting on the mat."),
    ("", "Nothing was answered."),
    ("Something was answered.", ""),
    ("", ""),
    ("   ", " \t\n"),
    ("a", "a"),
    ("a", "b"),
    ("ab", "abc"),
    ("a much longer hypothesis than the reference", "short"),
    ("no", "a reference that is much longer than its hypothesis"),
    ("aaaaaaaaaa", "aaaa"),
    ("spaces   do not\tcount", "spacesdonotcount"),
    ("no-break\u00a0space", "no-break space"),
    ("ideographic\u3000space", "ideographicspace"),
    ("zero\u200bwidth is a character", "zerowidth is a character"),
    ("unit\u001fseparator and next\u0085line", "unitseparator and nextline"),
    ("Case Matters", "case matters"),
    ("précis", "pre\u0301cis"),
    ("北京是中国的首都。", "中国的首都是北京。"),
    ("東京は日本の首都です", "日本の首都は東京です"),
    ("서울은 대한민국의 수도이다", "대한민국의 수도는 서울이다"),
    ("القاهرة عاصمة مصر", "عاصمة مصر هي القاهرة"),
    ("ירושלים היא בירת ישראל", "בירת ישראל היא ירושלים"),
    ("नई दिल्ली भारत की राजधानी है", "भारत की राजधानी नई दिल्ली है"),
    ("กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย", "เมืองหลวงของประเทศไทยคือกรุงเทพ"),
    ("Москва — столица России", "Столица России — Москва"),
    ("አዲስ አበባ የኢትዮጵያ ዋና ከተማ ናት", "የኢትዮጵያ ዋና ከተማ አዲስ አበባ"),
    ("Hà Nội là thủ đô của Việt Nam", "Thủ đô của Việt Nam là Hà Nội"),
    ("emoji 😀😃 and 𝒳", "emoji 😃😀 and 𝒴"),
    ("👩‍👩‍👧‍👦", "👩‍👩‍👧"),
]


def random_pairs(count):
    rng = random.Random(7)
    alphabets = ["abc ", "αβγδ ε", "あいう", "😀😁\u00a0x"]
    for _ in range(count):
        letters = rng.choice(alphabets)
        yield tuple("".join(rng.choices(letters, k=rng.randrange(30))) for _ in range(2))


def main():
    pairs = PAIRS + list(random_pairs(60))
    metric = sacrebleu.metrics.CHRF()
    cases = [
        dict(hypothesis=h, reference=r, score=metric.sentence_score(h, [r]).score)
        for h, r in pairs
    ]
    corpora = []
    for begin, end in ((0, 9), (9, 19), (2, 6), (19, 31), (31, 91), (0, 91)):
        part = pairs[begin:end]
        score = metric.corpus_score([h for h, _ in part], [[r for _, r in part]]).score
        corpora.append(dict(begin=begin, end=end, score=score))
    out = pathlib.Path(__file__).resolve().parent.parent / "eval/fixtures/chrf.json"
    out.parent.mkdir(exist_ok=True)
    signature = str(metric.get_signature())
    out.write_text(json.dumps(dict(made_with=signature, sentences=cases, corpora=corpora),
                              indent=1, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
