# Completion of inv, invoke and stagekit for bash, made by: stagekit completion bash

_stagekit_complete() {
    # The program that is being typed answers: the one of this repository's environment.
    local program=${COMP_WORDS[0]/#\~\//"$HOME"/} answer kind text _
    COMPREPLY=()
    if answer=$("$program" completion bash --candidates -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null </dev/null); then
        while IFS=$'\t' read -r kind text _; do
            case $kind in
                word) COMPREPLY+=("$text") ;;
                part) COMPREPLY+=("$text"); compopt -o nospace 2>/dev/null ;;
                file) compopt -o bashdefault -o default 2>/dev/null ;;
                folder) compopt -o dirnames 2>/dev/null ;;
            esac
        done <<<"$answer"
        compopt -o nosort 2>/dev/null
    else
        # Tasks without stagekit among them: what Invoke itself knows.
        while read -r text; do
            [[ -n $text && $text == "$2"* ]] && COMPREPLY+=("$text")
        done <<<"$("$program" --complete -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null </dev/null)"
    fi
    return 0
}

complete -F _stagekit_complete inv invoke stagekit
