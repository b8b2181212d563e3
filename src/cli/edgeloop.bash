# shellcheck shell=bash
# Completion of the edgeloop programs for bash. What there is to complete comes from the programs' own tables of settings
# (--list-options), asked once a shell for each program and subcommand.

declare -gA _edgeloop_listed 2> /dev/null

# _edgeloop_list PROGRAM [SUBCOMMAND]: lines "name, kind, words" in $_edgeloop_lines.
_edgeloop_list() {
    local key="$*"
    if [ -z "${_edgeloop_listed[$key]:-}" ]; then
        _edgeloop_listed[$key]=$("$@" --list-options 2> /dev/null)
    fi
    _edgeloop_lines=${_edgeloop_listed[$key]}
}

_edgeloop() {
    local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
    local name kind words found=() asked
    COMPREPLY=()
    # Bash takes --name=value for three words.
    if [ "$current" = = ]; then
        current=
    elif [ "$option" = = ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    asked=("$program")
    _edgeloop_list "$program"
    if [[ $_edgeloop_lines == *$'\tsubcommand\t'* ]]; then
        if [ "$COMP_CWORD" -gt 1 ]; then asked+=("${COMP_WORDS[1]}"); fi
        _edgeloop_list "${asked[@]}"
    fi
    while IFS=$'\t' read -r name kind words; do
        found+=("$name")
        if [ "$name" = "$option" ] && [ "$kind" != switch ] && [ "$kind" != subcommand ]; then
            if [ -n "$words" ]; then
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            else
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                compopt -o filenames 2> /dev/null
            fi
            return
        fi
       done <<< "$_edgeloop_lines"
    if [[ $current == -* ]] || [[ $_edgeloop_lines == *$'\tsubcommand\t'* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${found[*]}" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        compopt -o filenames 2> /dev/null
    fi
}

complete -F _edgeloop edgeloop-search edgeloop-data edgeloop-model edgeloop-report edgeloop-edge edgeloop-bridge
