# bash: source <(postino completion bash)
_postino() {
  local word help
  COMPREPLY=()
  while IFS=$'\t' read -r word help; do
    if [[ $word == :files ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}")
      continue
    fi
    # bash takes --flag=value apart: it wants the value alone
    [[ $word == --*=* ]] && word=${word#*=}
    COMPREPLY+=("$word")
  done < <("${COMP_WORDS[0]}" completion candidates -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _postino postino
