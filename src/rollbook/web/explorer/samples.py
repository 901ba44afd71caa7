"""The same request in seven languages, each with only the language's standard library.

A sample runs as it is pasted. It never contains an unpublished secret: it reads that from the environment.
"""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from rollbook.web.explorer.asking import Asked

# The environment variable from which a sample reads the Authorization header.
VARIABLE = "ROLLBOOK_AUTHORIZATION"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Sample:
    """One language: its name, its file name, how to run it, and the text."""

    name: str
    label: str
    run: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The text as marked-up lines."""
        return [_marked(line, self.name) for line in self.text.splitlines()]


@dataclass(frozen=True, slots=True)
class _Request:
    """What samples need to know about a request. `authorization` is blank if it is in the environment."""

    method: str
    url: str
    authorization: str
    is_secret: bool
    body: str

    @property
    def has_credential(self) -> bool:
        return bool(self.authorization) or self.is_secret


def of(asked: Asked, base: str, *, is_public: bool) -> list[Sample]:
    """The samples of a request to the server at `base`. `is_public`: everyone may read its credential."""
    request = _Request(
        asked.method,
        base.rstrip("/") + asked.address,
        asked.authorization if is_public else "",
        bool(asked.authorization) and not is_public,
        asked.body,
    )
    return [Sample(name, label, run, make(request)) for name, label, run, make in LANGUAGES]


def export_line(scheme: str) -> str:
    """The line that puts a secret into the variable that the samples read."""
    told = "Bearer YOUR_TOKEN" if scheme == "bearer" else "Basic CLIENT_ID_AND_SECRET_IN_BASE64"
    return f"export {VARIABLE}='{told}'"


def _text(text: str) -> str:
    """A string in double quotes for Python, JavaScript, Ruby, Java and Go.

    Addresses have no characters that Ruby would replace: they are percent-encoded.
    """
    return json.dumps(text)


def _curl(request: _Request) -> str:
    parts = ["curl"]
    if request.has_credential:
        parts.append(
            f'-H "Authorization: ${VARIABLE}"'
            if request.is_secret
            else f"-H {shlex.quote(f'Authorization: {request.authorization}')}"
        )
    if request.body:
        parts.append(f"-d {shlex.quote(request.body)}")
    elif request.method == "POST":
        parts.append("-X POST")
    return " \\\n  ".join([*parts, shlex.quote(request.url)])


def _python(request: _Request) -> str:
    header = f'os.environ["{VARIABLE}"]' if request.is_secret else _text(request.authorization)
    lines = ["import json", *(["import os"] if request.is_secret else []), "import urllib.request", ""]
    lines += ["request = urllib.request.Request(", f"    {_text(request.url)},"]
    if request.has_credential:
        lines.append(f'    headers={{"Authorization": {header}}},')
    if request.method == "POST":
        lines.append(f"    data=b{_text(request.body)},")
    lines += [
        ")",
        "with urllib.request.urlopen(request) as answer:",
        "    print(json.dumps(json.load(answer), indent=2))",
    ]
    return "\n".join(lines)


def _javascript(request: _Request) -> str:
    header = f"process.env.{VARIABLE}" if request.is_secret else _text(request.authorization)
    options = []
    if request.method == "POST":
        options += ['method: "POST"', f"body: new URLSearchParams({_text(request.body)})"]
    if request.has_credential:
        options.append(f"headers: {{ Authorization: {header} }}")
    told = ", {\n" + "".join(f"  {option},\n" for option in options) + "}" if options else ""
    return "\n".join(
        [
            f"const answer = await fetch({_text(request.url)}{told});",
            "if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);",
            "console.log(JSON.stringify(await answer.json(), null, 2));",
        ]
    )


def _ruby(request: _Request) -> str:
    header = f'ENV.fetch("{VARIABLE}")' if request.is_secret else _text(request.authorization)
    lines = ['require "json"', 'require "net/http"', "", f"uri = URI({_text(request.url)})"]
    lines.append(f"request = Net::HTTP::{request.method.title()}.new(uri)")
    if request.has_credential:
        lines.append(f'request["Authorization"] = {header}')
    if request.method == "POST":
        lines += [f'request["Content-Type"] = "{_FORM}"', f"request.body = {_text(request.body)}"]
    lines += [
        'answer = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https") do |http|',
        "  http.request(request)",
        "end",
        'abort "#{answer.code} #{answer.body}" unless answer.is_a?(Net::HTTPSuccess)',
        "puts JSON.pretty_generate(JSON.parse(answer.body))",
    ]
    return "\n".join(lines)


def _php(request: _Request) -> str:
    header = f"getenv('{VARIABLE}')" if request.is_secret else _single(request.authorization)
    options = []
    headers = []
    if request.has_credential:
        named = (
            f"'Authorization: ' . {header}"
            if request.is_secret
            else _single(f"Authorization: {request.authorization}")
        )
        headers.append(named)
    if request.method == "POST":
        options += ["'method' => 'POST'", f"'content' => {_single(request.body)}"]
        headers.append(f"'Content-Type: {_FORM}'")
    if headers:
        options.append(f"'header' => [{', '.join(headers)}]")
    inner = "".join(f"    {option},\n" for option in options)
    return "\n".join(
        [
            "<?php",
            "$context = stream_context_create(['http' => [",
            f"{inner}    'ignore_errors' => true,",
            "]]);",
            f"$answer = file_get_contents({_single(request.url)}, false, $context);",
            'echo json_encode(json_decode($answer), JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES), "\\n";',
        ]
    )


def _single(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _java(request: _Request) -> str:
    header = f'System.getenv("{VARIABLE}")' if request.is_secret else _text(request.authorization)
    built = [f"HttpRequest request = HttpRequest.newBuilder(URI.create({_text(request.url)}))"]
    if request.has_credential:
        built.append(f'    .header("Authorization", {header})')
    if request.method == "POST":
        built += [
            f'    .header("Content-Type", "{_FORM}")',
            f"    .POST(HttpRequest.BodyPublishers.ofString({_text(request.body)}))",
        ]
    built.append("    .build();")
    return "\n".join(
        [
            "import java.net.URI;",
            "import java.net.http.HttpClient;",
            "import java.net.http.HttpRequest;",
            "import java.net.http.HttpResponse;",
            "",
            "public class Sample {",
            "    public static void main(String[] arguments) throws Exception {",
            *(f"        {line}" for line in built),
            "        HttpResponse<String> answer = HttpClient.newHttpClient()",
            "            .send(request, HttpResponse.BodyHandlers.ofString());",
            "        System.out.println(answer.body());",
            "    }",
            "}",
        ]
    )


def _go(request: _Request) -> str:
    header = f'os.Getenv("{VARIABLE}")' if request.is_secret else _text(request.authorization)
    body = f"strings.NewReader({_text(request.body)})" if request.method == "POST" else "nil"
    imports = ["fmt", "io", "log", "net/http"]
    imports += ["os"] if request.is_secret else []
    imports += ["strings"] if request.method == "POST" else []
    headers = [f'\trequest.Header.Set("Authorization", {header})'] if request.has_credential else []
    if request.method == "POST":
        headers.append(f'\trequest.Header.Set("Content-Type", "{_FORM}")')
    stops = ["\tif err != nil {", "\t\tlog.Fatal(err)", "\t}"]
    return "\n".join(
        [
            "package main",
            "",
            "import (",
            *(f'\t"{name}"' for name in imports),
            ")",
            "",
            "func main() {",
            f'\trequest, err := http.NewRequest("{request.method}", {_text(request.url)}, {body})',
            *stops,
            *headers,
            "\tanswer, err := http.DefaultClient.Do(request)",
            *stops,
            "\tdefer answer.Body.Close()",
            "\ttext, err := io.ReadAll(answer.Body)",
            *stops,
            "\tfmt.Println(string(text))",
            "}",
        ]
    )


# Name, display name, how to run the file, and the template.
LANGUAGES: tuple[tuple[str, str, str, Callable[[_Request], str]], ...] = (
    ("curl", "curl", "Paste it into a terminal.", _curl),
    ("python", "Python", "python3 sample.py", _python),
    ("javascript", "JavaScript", "node sample.mjs (Node 18 or newer)", _javascript),
    ("ruby", "Ruby", "ruby sample.rb", _ruby),
    ("php", "PHP", "php sample.php", _php),
    ("java", "Java", "java Sample.java (Java 11 or newer)", _java),
    ("go", "Go", "go run sample.go", _go),
)

_TEXTS = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)""")


def _marked(line: str, language: str) -> str:
    """A line with its strings marked. In curl nothing is marked, because a line is all strings."""
    if language == "curl":
        return html.escape(line)
    parts = _TEXTS.split(line)
    return "".join(
        f'<span class="s">{html.escape(part)}</span>' if at % 2 else html.escape(part)
        for at, part in enumerate(parts)
    )
