"""Templates that exercise the subset of Jinja feature by feature: (jinja, answer_choices, row from a generator)."""

from prompt_rows import text


def words(rng):
    return {"a": text(rng), "b": text(rng), "n": rng.randint(-5, 12), "x": round(rng.uniform(-9, 9), rng.randint(0, 4)),
            "flag": rng.choice([True, False]), "empty": "", "none": None, "huge": (1 << 64) - rng.randint(1, 1 << 63), "list": [text(rng) for _ in range(rng.randint(0, 4))],
            "numbers": [rng.randint(-9, 9) for _ in range(rng.randint(1, 5))], "map": {"deep": {"z": [1, 2.5, "q"]}, "k": text(rng)},  # keys sorted: ours have no other order
            
            "people": [{"name": text(rng), "age": rng.randint(1, 90)} for _ in range(rng.randint(1, 3))]}


JINJA = [
    # printing
    "{{ a }}-{{ n }}-{{ x }}-{{ flag }}-{{ list }}-{{ map }}-{{ numbers }}", "{{ map.k }} {{ map['k'] }} {{ map.deep.z[1] }} {{ map['deep']['z'][2] }}",
    "{{ 1e3 }} {{ 1.50 }} {{ 1e-7 }} {{ 1e16 }} {{ 12345678901234567 }} {{ 0.1 + 0.2 }} {{ 1_000 }} {{ x * 1e20 }} {{ -x }}",
    "{{ 'a\\n\\t\\\\b\\'c\\u00e9\\x41' }} {{ \"d'e\" }} {{ 'one' 'two' }}", "{{ [a, 'q\\'s', None, true, 1.0, [n]] }} {{ {'a': 1, 'b': [a]} }}",
    # white space
    "  {%- if flag %}  yes  {%- else %}  no {% endif -%}  \n end \n", "a {{- n -}} b\n{#- c -#}\n d {# e #} f {{+ n }} {%+ if flag %}g{%+ endif %}",
    "x\r\ny\rz\n", "{% raw %}{{ a }} {% b %}{% endraw %}{%- raw -%}  {{ c }} {%- endraw -%} d",
    # conditions
    "{% if n > 3 %}big{% elif n == 3 %}three{% elif n < 0 %}neg{% else %}small{% endif %}", "{% if not flag and (n >= 1 or x <= 0.5) %}A{% else %}B{% endif %}",
    "{{ 'in' if 'cat' in a else 'out' }} {{ n in numbers }} {{ n not in numbers }} {{ 'k' in map }} {{ a == b }} {{ a != b }} {{ a < b }}",
    "{{ 'only' if flag }}", "{{ 1 < n <= 5 }} {{ true == 1 }} {{ 1.0 == 1 }} {{ '1' == 1 }} {{ [1, 2] == [1, 2.0] }} {{ a or 'x' }} {{ empty or 'none' }} {{ n and 'y' }}",
    "{{ huge }} {{ [huge] }} {{ huge > n }} {{ huge < x }} {{ huge == 18446744073709551616.0 }} {{ huge >= 9223372036854775808.0 }} {{ [n, huge, x] | max }} {{ huge in numbers }} {{ huge | round }}",
    "{{ not flag }} {{ not a in b }} {{ a in [a, b] }} {{ a in (b, 'c') }}",
    # arithmetic
    "{{ n + 2 * 3 - 4 }} {{ n / 2 }} {{ n // 2 }} {{ n % 3 }} {{ 2 ** 3 ** 2 }} {{ -n ** 2 }} {{ (n - 1) * 2 }} {{ x // 2 }} {{ x % 3 }} {{ n - -1 }}",
    "{{ 'ab' * 3 }} {{ [1] * 2 }} {{ [1] + [2] }} {{ 'a' + 'b' }} {{ 'a' ~ n ~ x ~ flag }} {{ n + x }} {{ flag + 1 }}",
    # set, for
    "{% set y = a %}{% if flag %}{% set y = b %}{% endif %}{{ y }}", "{% for w in list %}{{ loop.index }}/{{ loop.length }}:{{ w }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}",
    "{% for k, v in map.items() %}{{ k }}={{ v }};{% endfor %}", "{% for p in people if p.age > 40 %}{{ p.name }} {{ loop.index0 }} {{ loop.revindex }} {{ loop.first }}|{% else %}nobody{% endfor %}",
    "{% set y = 1 %}{% for i in range(3) %}{% set y = y + 1 %}{{ y }}{% endfor %}{{ y }}", "{% set ns = namespace(c=0) %}{% for i in numbers %}{% set ns.c = ns.c + i %}{% endfor %}{{ ns.c }}",
    "{% set p, q = n, x %}{{ p }} {{ q }}", "{% set block %}<{{ a }}>{% endset %}{{ block }}{{ block | length }}", "{% for i in range(5, 0, -2) %}{{ i }} {% endfor %}{{ range(n) | list }}",
    "{% for p, q in zip(numbers, list) %}{{ p }}{{ q }}{% endfor %}", "{% for c in 'aé他' %}[{{ c }}]{% endfor %}", "{% for k in map %}{{ k }}{% endfor %}",
    "{% for i in numbers %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% for j in range(2) %}{{ loop.index }}{% endfor %}{% endfor %}",
    # index and slice
    "{{ a[0] }}{{ a[-1] }}{{ a[1:4] }}/{{ a[:-2] }}/{{ a[::-1] }}/{{ a[2:] }}/{{ a[::3] }}", "{{ numbers[0] }}{{ numbers[-1] }}{{ numbers[1:] }}{{ numbers[::-1] }}{{ numbers[99] }}{{ numbers[-2:] }}",
    "{{ map.deep.z.1 }}", "{{ {0: 'zero', 1: 'one'}[flag | int] }} {{ {'a': 'b'}['a'] }} {{ ['p', 'q'][flag | int] }}",
    # filters
    "{{ a | lower }}|{{ a | upper }}|{{ a | capitalize }}|{{ a | title }}|{{ a | trim }}|{{ a | length }}|{{ a | string }}", "{{ a | replace('a', 'b') | replace(' ', '_', 2) }} {{ a | replace('', '.') }}",
    "{{ list | join(', ') }}|{{ list | join }}|{{ numbers | join(d='-') }}|{{ people | join('; ', attribute='name') }}", "{{ numbers | first }} {{ numbers | last }} {{ [] | first }} {{ list | length }} {{ list | count }}",
    "{{ numbers | sort }} {{ numbers | sort(reverse=true) }} {{ list | sort }} {{ numbers | sum }} {{ numbers | min }} {{ numbers | max }} {{ numbers | unique | list }} {{ n | abs }} {{ x | abs }}",
    "{{ x | round }} {{ x | round(1) }} {{ x | round(2, 'floor') }} {{ x | round(method='ceil') }} {{ 2.5 | round }} {{ n | round }} {{ x | int }} {{ '42' | int }} {{ 'q' | int }} {{ '3.7' | int }} {{ 'q' | int(7) }} {{ n | float }} {{ '2.5' | float }}",
    "{{ nosuch | default('d') }} {{ a | default('d') }} {{ empty | default('e', true) }} {{ nosuch is defined }} {{ a is defined }} {{ nosuch is undefined }}",
    "{{ list | reverse | list }} {{ a | reverse }} {{ 'abc' | list }} {{ map | list }}", "{{ people | map(attribute='name') | join(',') }} {{ list | map('upper') | list }} {{ people | sum(attribute='age') }}",
    "{{ numbers | select('odd') | list }} {{ numbers | reject('lt', 0) | list }} {{ people | selectattr('age', 'gt', 30) | map(attribute='age') | list }} {{ list | select | list }}",
    "{{ (numbers + numbers) | most_frequent | join(' ') }} {{ ['x', 'X'] | unique | list }} {{ -1.5 | abs }} {{ -n | abs }}",
    "{{ list | choice }}", "{{ numbers | random }} {{ [a, b] | choice }}", "{{ ['a', 'b', 'c'] | random }}{{ ['d', 'e'] | random }}",
    # tests
    "{{ n is odd }} {{ n is even }} {{ n is divisibleby 3 }} {{ n is divisibleby(2) }} {{ a is string }} {{ n is number }} {{ x is float }} {{ n is integer }} {{ map is mapping }} {{ list is iterable }} {{ none is none }} {{ a is not none }} {{ flag is true }} {{ n is in numbers }} {{ n is gt 2 }} {{ n is equalto 3 }} {{ a is sequence }} {{ 'ab' is lower }} {{ a is upper }} {{ flag is boolean }}",
    # methods
    "{{ a.split() }} {{ a.split(' ') }} {{ a.split(' ', 1) }} {{ a.rsplit(' ', 1) }} {{ a.split(maxsplit=1) }} {{ a.rsplit(None, 1) }}", "{{ a.strip() }}|{{ a.lstrip() }}|{{ a.rstrip() }}|{{ a.strip('ae _') }}",
    "{{ a.lower() }}|{{ a.upper() }}|{{ a.capitalize() }}|{{ a.title() }}|{{ a.replace('a', 'bb') }}|{{ a.replace('a', '', 1) }}", "{{ a.startswith('the') }} {{ a.endswith(('_', 't')) }} {{ a.find('cat') }} {{ a.rfind(' ') }} {{ a.count('a') }} {{ a.count('') }}",
    "{{ ', '.join(list) }} {{ a.splitlines() }} {{ '123'.isdigit() }} {{ a.isupper() }} {{ a.islower() }}", "{{ map.get('k') }} {{ map.get('no', 'd') }} {{ map.keys() | list }} {{ map.deep.values() | list }}",
    "{{ numbers.index(numbers[0]) }} {{ numbers.count(3) }}",
    # errors of both
    "{{ n + a }}", "{{ n / 0 }}", "{{ a < n }}", "{{ a.split('') }}", "{{ n | join }}", "{{ n[0:1] }}",
    # precedence
    "{{ 2 + n | abs }} {{ (2 + n) | abs }} {{ a ~ n + 1 }} {{ 1 + 2 ~ 3 }} {{ 'x' ~ a | upper }} {{ not n == 3 }} {{ -n | abs }} {{ n if flag else x if n > 2 else a }}",
]
CASES = [(jinja, None, words) for jinja in JINJA] + [
    ("{{ answer_choices[flag | int] }} {{ answer_choices | join(' or ') }} {{ answer_choices | length }}", "{{ a }} ||| {{ b }}", words),
    ("{{ answer_choices }}", "Yes ||| No ||| Maybe so", words),
    ("{{ answer_choices[n % 2] }}", "{% if flag %}A ||| B{% else %}C ||| D{% endif %}", words),
    ("{% if answer_choices[0] == a.strip() %}same{% endif %}!", "{{a}} ||| x", words),
]
