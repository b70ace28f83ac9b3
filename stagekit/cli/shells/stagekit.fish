# Completion of inv, invoke and stagekit for fish, made by: stagekit completion fish

function __stagekit_complete
    # The program that is being typed answers: the one of this repository's environment.
    set -l before (commandline -xpc 2>/dev/null; or commandline -opc)
    set -l current (commandline -ct | string replace -r '^(-[^=]*=)?["\']' '$1')
    set -l program (string replace -r '^~/' "$HOME/" -- $before[1])
    set -l answer (command $program completion fish --candidates -- $before "$current" 2>/dev/null </dev/null)
    if test $status -ne 0
        # Tasks without stagekit among them: what Invoke itself knows.
        command $program --complete -- $before "$current" 2>/dev/null </dev/null
        return
    end
    set -l option (string match -r -- '^-[^=]*=' "$current")
    for line in $answer
        set -l fields (string split \t -- $line)
        switch $fields[1]
            case word part
                printf '%s\t%s\n' $fields[2] "$fields[3]"
            case file
                __fish_complete_path (string replace -- "$option" '' "$current") | string replace -r '^' -- "$option"
            case folder
                __fish_complete_directories (string replace -- "$option" '' "$current") | string replace -r '^' -- "$option"
        end
    end
end

complete -c inv -c invoke -c stagekit -f -k -a '(__stagekit_complete)'
