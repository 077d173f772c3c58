"""Completion for bash and zsh: commands and options are in the script, names come from the daemon."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from qrealm.base.errors import QrealmError
from qrealm.faces.qdocker.filters import (
    CONTAINER_KEYS,
    EVENT_KEYS,
    EVENT_TYPES,
    HEALTHS,
    NODE_KEYS,
    NODE_STATES,
    STATES,
)
from qrealm.faces.qdocker.terminal import write

_GATES = """
    ID X Y Z H S SDG T TDG SX SXDG SY SYDG RX RY RZ P SWAP ISWAP ISWAPDG SISWAP SISWAPDG DCX ECR
    RXX RYY RZZ RZX CX CY CZ CH CS CSDG CSX CSXDG CRX CRY CRZ CP GPI GPI2 ZZ
    """.split()
"""All that a register takes; written out, as the table of gates is slow to load."""
_CONTAINERS = """
    run stop-container rm inspect logs exec measure entangle disentangle apply-gate send-message messages
    load-balance why
    """.split()
_VALUES = {
    "--mode": "same opposite spread",
    "--pull": "missing always never",
    "--restart": "no always unless-stopped on-failure",
    "--driver": "docker podman swarm simulated",
    "--node": "@nodes",
    "--scheduler": "@schedulers",
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
        "driver": tuple(_VALUES["--driver"].split()),
    },
    "events": {**dict.fromkeys(EVENT_KEYS, ()), "type": EVENT_TYPES},
}
_FORMATTED = "table json"


class Shell(StrEnum):
    """Whose completion."""

    BASH = "bash"
    ZSH = "zsh"


def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash or zsh: whose script to print.")],
) -> None:
    """Print a script that completes commands, options, and the names of containers, nodes, gates and modes.

    [bold]Examples[/bold]

      source <(qdocker completion bash)

      qdocker completion zsh > ~/.zfunc/_qdocker
    """
    from qrealm.faces.qdocker.app import COMMANDS, NODE_COMMANDS, option_names

    commands = [*COMMANDS, "nodes"]
    options = {name: option_names(name) for name in COMMANDS}
    options |= {f"nodes {name}": option_names(f"nodes {name}") for name in NODE_COMMANDS}
    write(_script(shell, commands, list(NODE_COMMANDS), options))


def complete(words: list[str]) -> int:
    """Names of a kind, one a line, for the script; nothing where no daemon runs. The exit code is 0 always,
    for what a shell completes must not be disturbed by messages."""
    from qrealm.faces.qdocker.client import Client

    kind = words[0] if words else ""
    try:
        names: Mapping[str, Any] = Client().get("/names")
    except QrealmError:
        return 0
    for name in names.get(kind, ()):
        write(name)
    return 0


def _script(
    shell: Shell, commands: Iterable[str], node_commands: Iterable[str], options: Mapping[str, Iterable[str]]
) -> str:
    cases = [f"    {_pattern(name)}) options={_quoted(each)} ;;" for name, each in options.items()]
    values = [f"    {name}) wanted={_quoted(text.split())} ;;" for name, text in _VALUES.items()]
    body = _BODY.format(
        commands=_quoted([*commands, "--version", "--help"]),
        node_commands=_quoted(node_commands),
        options="\n".join(cases),
        values="\n".join(values),
        formats=_quoted(_FORMATTED.split()),
        filter_keys="\n".join(
            f"      {_pattern(name)}) wanted={_quoted(f'{key}=' for key in keys)} ;;"
            for name, keys in _FILTERS.items()
        ),
        filter_values="\n".join(
            f"      '{name} {key}') wanted={_quoted(values)} ;;"
            for name, keys in _FILTERS.items()
            for key, values in keys.items()
            if values
        ),
        containers="|".join(_CONTAINERS),
        gates=_quoted(_GATES),
    )
    head = "#compdef qdocker\nautoload -U +X bashcompinit && bashcompinit\n" if shell is Shell.ZSH else ""
    # zsh sources the file when `source <(...)` is used and autoloads it as a function from fpath; both
    # register.
    return f"{head}{body}"


def _pattern(name: str) -> str:
    return shlex.quote(name)


def _quoted(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


_BODY = """\
# Completion of qdocker.
_qdocker_names() {{
  local word
  for word in $1; do
    case $word in
      @*) qdocker __complete "${{word#@}}" 2>/dev/null ;;
      *) printf '%s\\n' "$word" ;;
    esac
  done
}}

_qdocker() {{
  local current previous command options wanted index position word
  current="${{COMP_WORDS[COMP_CWORD]}}"
  previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  command="${{COMP_WORDS[1]}}"
  index=2
  options=
  wanted=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W {commands} -- "$current"))
    return
  fi
  if [ "$command" = nodes ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      COMPREPLY=($(compgen -W {node_commands} -- "$current"))
      return
    fi
    command="nodes ${{COMP_WORDS[2]}}"
    index=3
  fi
  case "$command" in
{options}
  esac
  # bash makes three words of KEY=VALUE.
  word=$COMP_CWORD
  if [ "$current" = = ]; then
    current=
    word=$((word + 1))
  fi
  if [ "$word" -gt 3 ] && [ "${{COMP_WORDS[word-1]}}" = = ]; then
    case "${{COMP_WORDS[word-3]}}" in
      --filter|-f)
        case "$command ${{COMP_WORDS[word-2]}}" in
{filter_values}
        esac
        COMPREPLY=($(compgen -W "$(_qdocker_names "$wanted")" -- "$current"))
        return ;;
    esac
  fi
  case "$command $previous" in
    "ps --filter"|"ps -f"|"events --filter"|"events -f"|"nodes ls --filter"|"nodes ls -f")
      case "$command" in
{filter_keys}
      esac
      type compopt >/dev/null 2>&1 && compopt -o nospace
      COMPREPLY=($(compgen -W "$wanted" -- "$current"))
      return ;;
  esac
  case "$previous" in
{values}
    --format) wanted={formats} ;;
    --config|--env-file|--filename|--tls-ca|--tls-cert|--tls-key)
      COMPREPLY=($(compgen -f -- "$current"))
      return ;;
  esac
  if [ -z "$wanted" ]; then
    case "$current" in
      -*) wanted="$options" ;;
      *)
        position=$((COMP_CWORD - index))
        case "$command" in
          apply-gate) if [ "$position" -eq 1 ]; then wanted={gates}; else wanted=@containers; fi ;;
          {containers}) wanted=@containers ;;
          rm-cluster) wanted=@clusters ;;
          "nodes rm"|"nodes drain"|"nodes activate") wanted=@nodes ;;
          completion) wanted='bash zsh' ;;
          create-cluster) COMPREPLY=($(compgen -f -- "$current")); return ;;
        esac ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$(_qdocker_names "$wanted")" -- "$current"))
}}

complete -F _qdocker qdocker
"""
