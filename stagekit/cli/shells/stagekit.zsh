#compdef inv invoke stagekit
# Completion of inv, invoke and stagekit for zsh, made by: stagekit completion zsh

_stagekit() {
    # The program that is being typed answers: the one of this repository's environment.
    local program=${(Q)words[1]} current=${(Q)IPREFIX}${(Q)PREFIX} answer line
    local -a before fields whole parts
    program=${program/#\~\//$HOME/}
    before=("${(@Q)words[1,CURRENT-1]}")
    if answer=$(command "$program" completion zsh --candidates -- "${before[@]}" "$current" 2>/dev/null </dev/null); then
        for line in "${(@f)answer}"; do
            fields=("${(@ps:\t:)line}")
            case $fields[1] in
                word) whole+=("${fields[2]//:/\\:}${fields[3]:+:$fields[3]}") ;;
                part) parts+=("${fields[2]//:/\\:}${fields[3]:+:$fields[3]}") ;;
                file) compset -P '-*='; _files; return ;;
                folder) compset -P '-*='; _files -/; return ;;
            esac
        done
    else
        # Tasks without stagekit among them: what Invoke itself knows.
        answer=$(command "$program" --complete -- "${before[@]}" "$current" 2>/dev/null </dev/null)
        [[ -n $answer ]] && whole=("${(@f)answer}")
    fi
    local given=1
    (( $#whole )) && _describe -V 'stagekit' whole && given=0
    (( $#parts )) && _describe -V 'stagekit' parts -S '' && given=0
    return given
}

if [[ $funcstack[1] == _stagekit ]]; then
    _stagekit "$@"  # loaded by its name from a folder of $fpath
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _stagekit inv invoke stagekit
fi
