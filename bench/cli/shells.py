"""What zsh and fish do when the tab key is pressed.

Both hand over the word as a whole and replace it as a whole. Of `--suite=clas`, click completes the part behind the
equals sign alone: its own functions lose the option in zsh and offer nothing in fish.
"""

from typing import Final

from click.shell_completion import CompletionItem, FishComplete, ZshComplete

_ZSH: Final = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a described plain open response
    local option type key descr
    (( ! $+commands[%(prog_name)s] )) && return 1
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) %(complete_var)s=zsh_complete \\
        %(prog_name)s)}")
    [[ $PREFIX == --*=* ]] && option="${PREFIX%%%%=*}="
    for type key descr in "${(@)response}"; do
        if [[ $type == dir ]]; then
            compset -P 1 '--*='
            _path_files -/
        elif [[ $type == file ]]; then
            compset -P 1 '--*='
            _path_files -f
        elif [[ $type == plain && $key == *[:/=] ]]; then
            open+=("$option$key")
        elif [[ $type == plain && $descr == _ ]]; then
            plain+=("$option$key")
        elif [[ $type == plain ]]; then
            described+=("$option${key//:/\\\\:}:$descr")
        fi
    done
    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
    (( $#open )) && compadd -U -S '' -V unsorted -a open
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH: Final = """\
function %(complete_func)s
    set -l word (commandline -t)
    set -l option (string match -r -- '^--[^=]*=' $word; or echo)
    set -l response (env COMP_WORDS=(commandline -cp | string collect) COMP_CWORD="$word" \\
        %(complete_var)s=fish_complete %(prog_name)s)
    for completion in $response
        set -l metadata (string split -m 1 -- , $completion)
        if test $metadata[1] = dir
            printf '%%s\\n' $option(__fish_complete_directories $metadata[2])
        else if test $metadata[1] = file
            printf '%%s\\n' $option(__fish_complete_path $metadata[2])
        else if test $metadata[1] = plain
            echo $option$metadata[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class Zsh(ZshComplete):
    """Completion in zsh, also behind `--option=`, and of words that go on: behind a colon or a slash comes no space."""

    source_template = _ZSH

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type}\n{item.value}\n{item.help or '_'}"


class Fish(FishComplete):
    """Completion in fish, also behind `--option=`, with descriptions that have commas."""

    source_template = _FISH
