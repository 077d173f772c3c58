"""Templates beside what the docker command 20.10 printed for a container of these values."""

from __future__ import annotations

import re
import time

import pytest

from qrealm.base.errors import RequestError
from qrealm.faces.qdocker.template_functions import UserMap
from qrealm.faces.qdocker.templates import Template

BINDING = {"HostIp": "127.0.0.1", "HostPort": "18081"}
DOCUMENT = {
    "Name": "/clit",
    "State": {"Status": "running", "Running": True, "ExitCode": 0, "Error": "", "Health": None},
    "Config": {
        "Env": ["A=1"],
        "Cmd": ["sleep", "600"],
        "Labels": UserMap({"a.b": "one", "c": "two"}, absent=""),
        "Entrypoint": None,
        "Image": "busybox:test",
    },
    "HostConfig": {"Memory": 67108864, "NanoCpus": 0, "PortBindings": UserMap({"80/tcp": [BINDING]})},
    "Mounts": [],
}

DOCKER = [
    ("{{.HostConfig.Memory}}", "67108864"),
    ("{{json .Config.Labels}}", '{"a.b":"one","c":"two"}'),
    ('{{index .Config.Labels "a.b"}}', "one"),
    ('{{index .Config.Labels "nope"}}|', "|"),
    ("{{len .Config.Env}}", "1"),
    ('{{upper .Name}} {{title "some thing"}} {{lower "ABC"}}', "/CLIT Some Thing abc"),
    ('{{join .Config.Cmd ","}}', "sleep,600"),
    ("{{range .Config.Env}}[{{.}}]{{end}}", "[A=1]"),
    ("{{range $k,$v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a.b=one;c=two;"),
    ("{{range $i, $e := .Config.Env}}{{$i}}:{{$e}};{{end}}", "0:A=1;"),
    ("{{if .State.Running}}yes{{else}}no{{end}}", "yes"),
    ('{{if eq .State.Status "exited"}}E{{else if eq .State.Status "running"}}R{{end}}', "R"),
    ("{{.State.Status | upper | json}}", '"RUNNING"'),
    ("{{.Config.Labels}}", "map[a.b:one c:two]"),
    ("{{.Config.Env}}", "[A=1]"),
    ("{{println .Name .Name | len}}", "12"),
    ("{{.Config.Labels.nope}}", "<no value>"),
    ("{{.Config.Labels.c}}", "two"),
    ('{{(index (index .HostConfig.PortBindings "80/tcp") 0).HostPort}}', "18081"),
    (
        "{{range $p, $conf := .HostConfig.PortBindings}}{{$p}} -> {{(index $conf 0).HostPort}}{{end}}",
        "80/tcp -> 18081",
    ),
    ("{{with .State}}{{.Status}}{{end}}", "running"),
    ('{{printf "%s-%d" .Name .HostConfig.Memory}}', "/clit-67108864"),
    ("{{- .Name -}}  x", "/clitx"),
    ("{{/* c */}}x", "x"),
    (
        '{{not .State.Running}} {{and .State.Running "x"}} {{or "" "y"}} {{ne 1 2}} {{lt 1 2}} {{gt 1 2}}',
        "false x y true true false",
    ),
    ("{{$x := .Name}}{{$x}}", "/clit"),
    ("{{.State.Running}} {{.HostConfig.NanoCpus}} {{.Config.Entrypoint}}", "true 0 <no value>"),
    ('{{split "a,b" ","}}', "[a b]"),
    ('{{slice "abcdef" 0 3}}', "abc"),
    ('{{truncate "abcdef" 2}}', "ab"),
    ('{{pad "x" 1 2}}|', " x  |"),
    ('{{println "a" 1 true}}', "a 1 true\n"),
    ("{{eq .State.ExitCode 0}}", "true"),
    ("{{eq .Name .HostConfig.Memory}}", "false"),
    ("{{index .Config.Env 0}}", "A=1"),
    (r'{{"a\tb"}}', "a\tb"),
    ("{{`raw`}}", "raw"),
    ('{{.HostConfig.Memory | printf "%d"}}', "67108864"),
    ("a }} b", "a }} b"),
]


@pytest.mark.parametrize("template, printed", DOCKER, ids=[template for template, _ in DOCKER])
def test_as_docker_prints_it(template, printed):
    assert Template(template).filled(DOCUMENT) == printed


@pytest.mark.parametrize(
    "template, printed",
    [
        # Go 1.18 and later: what comes after the answer is not asked.
        ("{{and .State.Health .State.Health.Status}}", "<no value>"),
        ('{{or .Name .State.Health.Status}}', "/clit"),
        ("{{if and .State.Running (not .Mounts)}}bare{{end}}", "bare"),
        ("{{range .Mounts}}x{{else}}none{{end}}", "none"),
        ("{{range .Config.Cmd}}{{$.Name}} {{.}};{{end}}", "/clit sleep;/clit 600;"),
        ("{{range $c := .Config.Cmd}}{{$c}};{{end}}", "sleep;600;"),
        ("{{with .State.Health}}{{.Status}}{{else}}no check{{end}}", "no check"),
        ("{{range .Config.Cmd}}{{if eq . \"600\"}}{{.}}{{end}}{{end}}", "600"),
        (r"{{.Name}}\t{{.State.Status}}\n", "/clit\trunning\n"),
        (
            '{{printf "%-8s|%q|%.2s|%05d|%v%%" .Name "a" "long" 7 .Config.Env}}',
            '/clit   |"a"|lo|00007|[A=1]%',
        ),
        ("{{print 1 2 \"a\" 3}}", "1 2a3"),
        ('{{eq .State.Status "exited" "running"}} {{eq 1 true}}', "true false"),
        ('{{ge 2 2}} {{le "a" "b"}}', "true true"),
        ("{{json .State.Health}} {{json 0.5}}", "null 0.5"),
        ('{{"{{"}}', "{{"),
        ("{{if false}}{{$x := 1}}{{else}}{{$x := 2}}{{$x}}{{end}}", "2"),
    ],
)  # fmt: skip
def test_what_else_there_is(template, printed):
    assert Template(template).filled(DOCUMENT) == printed


@pytest.mark.parametrize(
    "template, told",
    [
        ("{{.Name", "does not end"),
        ("{{bogus .Name}}", "'bogus', which is no function"),
        ("{{if .Name}}", "no end for its if"),
        ("{{range .Mounts}}{{else}}x", "no end for its range"),
        ("{{end}}", "'end' without a beginning"),
        ("{{}}", "an empty action"),
        ("{{.Name .Name}}", r"\.Name takes text|gives \.Name a value"),
        ("{{break}}", "'break', which is no function"),
        ("{{len .Config.Env .Name}}", "gives len 2 values, which takes 1"),
        ("{{$y}}", r"the variable '\$y'"),
        ("{{range $x := .Config.Env}}{{end}}{{$x}}", r"the variable '\$x'"),
        ("{{(.Name}}", "does not end"),
        ("{{.Name)}}", r"'\)' where it cannot stand"),
        ("{{.Name |}}", "ends too soon"),
        ("{{.a-b}}", "'-b'"),
        (r'{{"\q"}}', "no text or number"),
        (f"{{{{{'(' * 5000}.Name{')' * 5000}}}}}", "too many brackets"),
        ("{{if .Name}}" * 5000 + "{{end}}" * 5000, "too many brackets or blocks"),
    ],
)
def test_broken_templates_are_refused(template, told):
    with pytest.raises(RequestError, match=told):
        Template(template).filled(DOCUMENT)


@pytest.mark.parametrize(
    "template, told",
    [
        ("{{.Nope}}", "'Nope', which there is not"),
        ("{{.State.Nope}}", r"'State\.Nope'"),
        ("{{.State.Health.Status}}", "its parent has no fields"),
        ("{{index .Config.Env 9}}", "index got 9 for a list of 1"),
        ('{{index .State "Nope"}}', "there are: Status"),
        ("{{len 3}}", "len takes text, a list or a map; '3' is none"),
        ('{{join .Name ","}}', "join takes a list of text"),
        ("{{upper .HostConfig.Memory}}", "upper takes text; '67108864' is none"),
        ("{{slice .Name 3 99}}", "slice got 3 to 99"),
        ("{{lt .Name 1}}", "lt compares"),
        ('{{printf "%d" .Name}}', "printf got '/clit' for %d"),
        ('{{printf "%s"}}', "fewer values"),
        ("{{range .Name}}{{end}}", "no list and no map"),
        ("{{index .State .Config.Env}}", r"index cannot take .*unhashable"),
        ("{{pad .Name 99999999999999999999 1}}", "pad cannot take"),
        (f'{{{{printf "%f" {"9" * 400}}}}}', "printf cannot take"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(template, told):
    read = Template(template)
    with pytest.raises(RequestError, match="--format") as problem:
        read.filled(DOCUMENT)
    assert re.search(told, str(problem.value))


def test_fields_that_are_asked_of_the_row_are_known_before_there_is_one():
    text = "{{.A}} {{.B.C | upper}} {{range .D}}{{.E}}{{end}} {{if eq .F 1}}{{.G}}{{end}}"
    assert Template(text + "{{with .H}}{{.I}}{{end}}").fields == {"A", "B", "D", "F", "G", "H"}


@pytest.mark.parametrize(
    "template, printed",
    [
        ('{{index (split .Name "-") 0}}', "NAME"),
        ('{{index (split .Name "-") 1 | upper}}', "NAME"),
        ("{{slice .Name 0 20}}", "NAME"),
        ('{{range split .Name "-"}}{{.}}{{end}}', "NAME"),
        ('{{join (split .Name "-") "+"}}', "NAME"),
    ],
)
def test_headings_stay_as_they_are(template, printed):
    read = Template(template)
    assert read.heading({"Name": "NAME"}) == printed
    assert read.filled({"Name": "a-b" + "c" * 20}) != printed


@pytest.mark.parametrize("text", ["{{ " * 4000, "{{" + " " * 4000, "{{- .Name" + " " * 4000])
def test_actions_that_do_not_end_take_no_time(text):
    began = time.process_time()
    with pytest.raises(RequestError, match="an action that does not end"):
        Template(text)
    assert time.process_time() - began < 1, "5.6 s with a search that went on behind each of them"
