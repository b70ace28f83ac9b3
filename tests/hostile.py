"""Values that break on their way, in one tool or another."""

from __future__ import annotations

# What reads as something else, ends a string, or moves the reader, in one tool or the other.
HOSTILE = [
    *("1e3", "08", "0123456789", "12345e7", "2024.10", "1_000", "0x1f", "0o17", ".5", "1.", "-0"),
    *("yes", "no", "on", "Off", "y", "n", "true", "False", "null", "~", "NaN", ".inf", "22:22"),
    *(
        "",
        " ",
        " lead",
        "trail ",
        "\t",
        "\n",
        "\n\n",
        "a\n",
        "\na",
        "a\r\nb",
        "a\nprivileged: true",
    ),
    *("a: b", "# c", "a #b", "- x", "? x", "{}", "[]", "{a: b}", "&a", "*a", "!!str x", "|", ">"),
    *("---", "...", "%YAML", "@x", "`x`", "'", "''", '"', '""', "\\", "\\n", "\\u0041", "d:/x"),
    *("$", "$$", "$X", "${X}", "${X:-y}", "$${X}", "$$$X", "a$b$", "%{x}", "{{ x }}", "{% x %}"),
    *("\x01", "\x1b[31m", "\x7f", "\x80", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\u202e"),
    *("\ud7ff", "\ue000", "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0001f600", "\U0010ffff"),
    *("é", "e\u0301", "日本語", "2011-04-06", "2011-04-06T20:32:17Z", "1:2", "=", "<<", "x" * 5000),
]

# Each with what stands beside it in texts that people write.
VALUES = [
    *HOSTILE,
    *(f"{text} x" for text in HOSTILE if text and len(text) < 100),
    *(f"x{text}" for text in HOSTILE if text and len(text) < 100),
    *("on ", "null # no", "007", "+1", "1__0", "1:20:30", "0b1", "1e1000", "-.5e-3", "12e03", "0."),
    *(
        "'a' \"b\"",
        "\\",
        "\\\\",
        "a\\",
        "\\$",
        "\\$X",
        "$\\{X}",
        "$(id)",
        "`id`",
        "!x",
        "x: y: z",
        "{$X}",
    ),
    *(
        "\r",
        "\r\n",
        "\t\t",
        "\v",
        "\f",
        "\x02",
        " \n ",
        "a\n  b\n c\n",
        "|\n",
        "- a\n- b",
    ),
    "".join(map(chr, (*range(1, 0x250), *range(0x2000, 0x2070), 0x1F600, 0x10FFFF))),
    ("x$Y'\"\\\n#: é\U0001f600" * 4400)[: 48 * 2**10],
]
