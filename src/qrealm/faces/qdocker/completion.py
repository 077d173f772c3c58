"""Completion for bash and zsh: commands and options are in the script, names come from the daemon."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from qrealm.base.errors import QrealmError
from qrealm.faces.qdocker.filters import (
    CONTAINER_KEYS,
    EVENT_KEYS,
    EVENT_TYPES,
    HEALTHS,
    NODE_DRIVERS,
    NODE_KEYS,
    NODE_STATES,
    STATES,
)
from qrealm.faces.qdocker.terminal import write

_NAMES_S = 5.0
"""How long each read of the daemon's answer may take: nobody waits longer for a Tab."""
_ERRORS_FROM = 400
_FILES = "@files"
_GATES = """
    ID X Y Z H S SDG T TDG SX SXDG SY SYDG RX RY RZ P SWAP ISWAP ISWAPDG SISWAP SISWAPDG DCX ECR
    RXX RYY RZZ RZX CX CY CZ CH CS CSDG CSX CSXDG CRX CRY CRZ CP GPI GPI2 ZZ
    """.split()
"""All that a register takes; written out, as the table of gates is slow to load."""
_VALUES = {
    **dict.fromkeys(("--config", "--env-file", "--filename", "--tls-ca", "--tls-cert", "--tls-key"), _FILES),
    "--restart": "no always unless-stopped on-failure",
    "--driver": " ".join(NODE_DRIVERS),
    "--node": "@nodes",
    "--scheduler": "@schedulers",
}
"""Of options whose words are not in their own help, as those of same|opposite|spread are."""
_ARGUMENTS = {
    **dict.fromkeys(("NAME", "NAME2", "A", "B", "SENDER", "RECEIVER"), "@containers"),
    "NODE": "@nodes",
    "GATE": " ".join(_GATES),
    "SHELL": "bash zsh",
    "FILE.yaml": _FILES,
    "rm-cluster NAME": "@clusters",
    "create NAME": "",
    "nodes add NODE": "",
}
_FILTERS = {
    "ps": {
        **dict.fromkeys(CONTAINER_KEYS, ()),
        "name": ("@containers",),
        "status": STATES,
        "node": ("@nodes",),
        "cluster": ("@clusters",),
        "health": HEALTHS,
    },
    "nodes ls": {
        **dict.fromkeys(NODE_KEYS, ()),
        "name": ("@nodes",),
        "status": NODE_STATES,
        "driver": NODE_DRIVERS,
    },
    "events": {**dict.fromkeys(EVENT_KEYS, ()), "name": ("@containers",), "type": EVENT_TYPES},
}


class Shell(StrEnum):
    """Whose completion."""

    BASH = "bash"
    ZSH = "zsh"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash or zsh: whose script to print.")],
) -> None:
    """Print a script that completes commands, options, and the names of containers, nodes, gates and modes.

    In ~/.zshrc, the folder of the last example stands before compinit: fpath=(~/.zfunc $fpath).

    [bold]Examples[/bold]

      source <(qdocker completion bash)

      source <(qdocker completion zsh)

      qdocker completion zsh > ~/.zfunc/_qdocker
    """
    from qrealm.faces.qdocker.app import COMMANDS, NODE_COMMANDS, app

    group: Any = typer.main.get_command(app)
    rows = [
        *_choices("", [*COMMANDS, "nodes", "--version", "--help"]),
        *_choices("nodes", [*NODE_COMMANDS, "--help"]),
    ]
    for name in COMMANDS:
        rows += _of_command(name, group.commands[name])
    for name in NODE_COMMANDS:
        rows += _of_command(f"nodes {name}", group.commands["nodes"].commands[name])
    write(_HEAD[shell] + _ROWS.replace("ROWS", "\n".join(rows)) + _WANTED + _TAIL[shell])


def complete(words: list[str]) -> int:
    """Names of a kind, one a line, for the script; nothing where no daemon runs. The exit code is 0 always,
    for what a shell completes must not be disturbed by messages."""
    for name in _names(words[0] if words else ""):
        write(name)
    return 0


def _names(kind: str) -> list[str]:
    from qrealm.faces.qdocker.home import find_home
    from qrealm.faces.qdocker.wire import asked

    try:
        home = find_home()
        home.check()
        with asked(str(home.socket), "GET", "/v1/names", {}, None, _NAMES_S) as answer:
            found = json.loads(answer.read()) if answer.status < _ERRORS_FROM else {}
    # A daemon of another version may answer anything.
    except (QrealmError, OSError, ValueError):
        return []
    names = found.get(kind) if isinstance(found, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _choices(place: str, words: Iterable[str]) -> Iterator[str]:
    """A row of the script: what there is to choose from at a place, unless there is nothing."""
    text = " ".join(words)
    if text:
        yield f"    {shlex.quote(place)}) wanted={shlex.quote(text)} ;;"


def _of_command(name: str, command: Any) -> Iterator[str]:
    """Rows of the script for the options, values and arguments of a command."""
    # By attribute, as the class of parameters is not in typer's own names.
    options = [each for each in command.params if each.param_type_name == "option"]
    valued = [each for each in options if not each.is_flag]
    names = [word for each in options for word in (*each.opts, *each.secondary_opts)]
    yield from _choices(f"{name} options", [*names, "-h", "--help"])
    yield from _choices(f"{name} valued", [word for each in valued for word in each.opts])
    if not command.context_settings.get("allow_interspersed_args", True):
        yield from _choices(f"{name} late", ["yes"])
    for option in valued:
        for word in option.opts:
            if "--filter" in option.opts:
                yield from _choices(f"{name} {word}", [f"{key}=" for key in _FILTERS[name]])
                for key, values in _FILTERS[name].items():
                    yield from _choices(f"{name} {word} {key}=", values)
            else:
                yield from _choices(f"{name} {word}", _values_of(option))
    for position, argument in enumerate(each for each in command.params if each not in options):
        words = _ARGUMENTS.get(f"{name} {argument.metavar}", _ARGUMENTS.get(argument.metavar, "")).split()
        for row in _choices(f"{name} {position}", words):
            yield row if argument.nargs > 0 else row.replace(f"{position}')", "'[0-9]*)", 1)


def _values_of(option: Any) -> list[str]:
    for word in option.opts:
        if word in _VALUES:
            return _VALUES[word].split()
    told = option.metavar or ""
    return [word for word in told.split("|") if word.islower()] if re.fullmatch(r"[\w|]+", told) else []


_HEAD = {
    Shell.BASH: "# Completion of qdocker in bash.\n",
    Shell.ZSH: "#compdef qdocker\n# Completion of qdocker in zsh.\n",
}
_ROWS = """
# What there is to choose from at a place, as `wanted`; @kind is asked of the daemon.
_qdocker_at() {
  wanted=
  case $1 in
ROWS
  esac
}
"""
_WANTED = """
# What fits at the last of these words, as `wanted`; `prefix` is what of the word stands before it, and `open`
# is set when more follows it.
_qdocker_wanted() {
  [ -z "${ZSH_VERSION:-}" ] || emulate -L sh
  local IFS=' ' command late valued option='' position=0
  prefix= open=
  if [ "$#" -eq 1 ]; then
    _qdocker_at ''
    return
  fi
  command=$1
  shift
  if [ "$command" = nodes ]; then
    if [ "$#" -eq 1 ]; then
      _qdocker_at nodes
      return
    fi
    command="nodes $1"
    shift
  fi
  _qdocker_at "$command late"
  late=$wanted
  _qdocker_at "$command valued"
  valued=" $wanted "
  while [ "$#" -gt 1 ]; do
    if [ -n "$option" ]; then
      option=
    elif [ -n "$late" ] && [ "$position" -gt 0 ]; then
      position=$((position + 1))
    else
      case $1 in
        -*) case $valued in *" $1 "*) option=$1 ;; esac ;;
        *) position=$((position + 1)) ;;
      esac
    fi
    shift
  done
  if [ -z "$option" ] && { [ -z "$late" ] || [ "$position" -eq 0 ]; }; then
    case $1 in
      --*=*)
        option=${1%%=*}
        prefix="$option="
        case $valued in *" $option "*) ;; *) wanted=; return ;; esac ;;
      -*)
        _qdocker_at "$command options"
        return ;;
    esac
  fi
  if [ -z "$option" ]; then
    _qdocker_at "$command $position"
    return
  fi
  _qdocker_at "$command $option"
  case $wanted in
    *=)
      set -- "${1#"$prefix"}"
      case $1 in
        *=*)
          _qdocker_at "$command $option ${1%%=*}="
          prefix="$prefix${1%%=*}=" ;;
        *) open=yes ;;
      esac ;;
  esac
}

# These words, and the names of the kinds among them; one a line.
_qdocker_names() {
  [ -z "${ZSH_VERSION:-}" ] || emulate -L sh
  local IFS=' ' word
  for word in $1; do
    case $word in
      @*) qdocker __complete "${word#@}" </dev/null 2>/dev/null ;;
      *) printf '%s\\n' "$word" ;;
    esac
  done
}
"""
_TAIL = {
    Shell.BASH: """
_qdocker() {
  local wanted prefix open name whole lead front rest trimmed current='' index=0
  local -a given=()
  # bash takes KEY=VALUE and what has a colon apart; words belong together where no blank is between them.
  rest=${COMP_LINE:0:COMP_POINT}
  while [ "$index" -le "$COMP_CWORD" ]; do
    trimmed=${rest#"${rest%%[![:space:]]*}"}
    if [ "$index" -gt 0 ] && [ "$trimmed" != "$rest" ]; then
      given+=("${current//[\\"\\'\\\\]/}")
      current=
    fi
    if [ "$index" -eq "$COMP_CWORD" ]; then
      current+=$trimmed
    else
      current+=${COMP_WORDS[index]}
      rest=${trimmed#"${COMP_WORDS[index]}"}
    fi
    index=$((index + 1))
  done
  current=${current//[\\"\\'\\\\]/}
  _qdocker_wanted "${given[@]:1}" "$current"
  COMPREPLY=()
  # What bash leaves as it is, in front of what it completes, and what it completes although it is no value.
  lead=${current%"${2//[\\"\\'\\\\]/}"}
  front=${prefix#"$lead"}
  if [ "$wanted" = @files ]; then
    if [ -z "$front" ] && type compopt >/dev/null 2>&1; then
      compopt -o default
      return
    fi
    while IFS= read -r name; do
      [ ! -d "$name" ] || name+=/
      [ -z "$name" ] || COMPREPLY+=("$front$name")
    done <<< "$(compgen -f -- "${current#"$prefix"}")"
    if type compopt >/dev/null 2>&1; then
      compopt -o filenames
      case ${COMPREPLY[0]-} in */) compopt -o nospace ;; esac
    fi
    return
  fi
  if [ -n "$open" ]; then
    type compopt >/dev/null 2>&1 && compopt -o nospace
  fi
  while IFS= read -r name; do
    whole=$prefix$name
    case $whole in
      "$current"*) [ -z "$name" ] || COMPREPLY+=("${whole#"$lead"}") ;;
    esac
  done <<< "$(_qdocker_names "$wanted")"
}

complete -F _qdocker qdocker
""",
    Shell.ZSH: """
_qdocker() {
  local wanted prefix open
  local -a found ending
  _qdocker_wanted "${(@Q)words[2,CURRENT-1]}" "$PREFIX"
  compset -p ${#prefix}
  if [[ $wanted = @files ]]; then
    _files
    return
  fi
  found=(${(f)"$(_qdocker_names "$wanted")"})
  [[ -z $open ]] || ending=(-S '')
  compadd "${ending[@]}" -a found
}

# From a folder of fpath this file is what the first Tab calls; sourced, it says whose completion it has.
if [[ ${funcstack[1]} = _qdocker ]]; then
  _qdocker "$@"
else
  if (( ! ${+functions[compdef]} )); then
    autoload -Uz compinit && compinit -i
  fi
  compdef _qdocker qdocker
fi
""",
}
