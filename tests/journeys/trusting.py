"""Small programs of each runtime: they ask a demo under TLS for its districts and print the status.

Each leads the name to this machine by itself, as a test cannot write the hosts file. Trust comes from the line that
`rollbook demo --tls` prints, and from nothing else.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "api.clever.com"
PYTHON = """
import socket, sys
known = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **how: known("127.0.0.1" if host == "api.clever.com" else host, *more, **how)
url, headers = sys.argv[1], {"Authorization": "Bearer TEST_TOKEN"}
"""
RUBY = """
require "net/http"
url = URI(ARGV[0])
http = Net::HTTP.new(url.host, url.port)
http.ipaddr = "127.0.0.1"
http.use_ssl = true
puts http.get(url.request_uri, "Authorization" => "Bearer TEST_TOKEN").code
"""
PHP = """<?php
$url = parse_url($argv[1]);
$how = ["ssl" => ["peer_name" => $url["host"]]];
$line = stream_socket_client("ssl://127.0.0.1:" . $url["port"], $code, $why, 60, STREAM_CLIENT_CONNECT,
  stream_context_create($how));
if (!$line) exit(1);
fwrite($line, "GET " . $url["path"] . " HTTP/1.1\\r\\nHost: " . $url["host"]
  . "\\r\\nAuthorization: Bearer TEST_TOKEN\\r\\nConnection: close\\r\\n\\r\\n");
echo explode(" ", fgets($line))[1];
"""
GO = """package main

import ("context"; "fmt"; "net"; "net/http"; "os")

func main() {
	dial := func(c context.Context, network, address string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(address)
		return (&net.Dialer{}).DialContext(c, network, "127.0.0.1:"+port)
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial}}
	request, _ := http.NewRequest("GET", os.Args[1], nil)
	request.Header.Set("Authorization", "Bearer TEST_TOKEN")
	answer, err := client.Do(request)
	if err != nil { fmt.Fprintln(os.Stderr, err); os.Exit(1) }
	fmt.Println(answer.StatusCode)
}
"""
JAVA = """
import java.net.URL;
import javax.net.ssl.HttpsURLConnection;

class Ask {
  public static void main(String[] given) throws Exception {
    var asked = (HttpsURLConnection) new URL(given[0]).openConnection();
    asked.setRequestProperty("Authorization", "Bearer TEST_TOKEN");
    System.out.println(asked.getResponseCode());
  }
}
"""
NODE = """
const lookup = (host, how, done) =>
  how.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
require("https").get(process.argv[2], { lookup, headers: { Authorization: "Bearer TEST_TOKEN" } }, (answer) => {
  console.log(answer.statusCode);
  answer.resume();
});
"""
# By the name of the printed line: the file, its text, and what runs it, unless the line does.
PROGRAMS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "curl": ("none", "", ()),
    "Python requests": (
        "ask.py",
        PYTHON + "import requests\nprint(requests.get(url, headers=headers).status_code)\n",
        (sys.executable,),
    ),
    "Python httpx, urllib": (
        "ask.py",
        PYTHON + "from urllib.request import Request, urlopen\nimport httpx\n"
        "assert urlopen(Request(url, headers=headers)).status == 200\n"
        "print(httpx.get(url, headers=headers).status_code)\n",
        (sys.executable,),
    ),
    "Node": ("ask.cjs", NODE, ("node",)),
    "Ruby": ("ask.rb", RUBY, ("ruby",)),
    "Go": ("ask.go", GO, ("go", "run")),
    "PHP": ("ask.php", PHP, ()),
    "Java": ("Ask.java", JAVA, ()),
}


def ask(client: str, line: str, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a client's program with the printed line; without one (blank), with its own trust alone."""
    file, text, command = PROGRAMS[client]
    (folder / file).write_text(text, "utf-8")
    (folder / "hosts").write_text(f"127.0.0.1 {NAME}\n", "utf-8")
    port = url.split(":")[2].split("/")[0]
    rest = {
        "curl": f"-sS --resolve {NAME}:{port}:127.0.0.1 -H 'Authorization: Bearer TEST_TOKEN' -o /dev/null"
        f" -w '%{{http_code}}' {url}",
        "Java": f"-Djdk.net.hosts.file=hosts {file} {url}",
        "PHP": f"{file} {url}",
    }
    if client in rest:
        bare = {"curl": "curl ...", "Java": "java ...", "PHP": "php ..."}[client]
        shell = (line or bare).replace("...", rest[client])
    else:
        shell = f"{line} {shlex.join((*command, file, url))}"
    outside = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SSL_", "REQUESTS_", "NODE_"))
    }
    return subprocess.run(
        ["sh", "-c", shell],
        cwd=folder,
        env={**outside, "GOCACHE": str(folder.parent / "go-cache"), "GO111MODULE": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
