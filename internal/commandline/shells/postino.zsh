#compdef postino
# zsh: source <(postino completion zsh), or as _postino in a folder of $fpath
_postino() {
  local -a found
  local line files=
  for line in "${(@f)$("${words[1]}" completion candidates -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :files) files=1 ;;
      ?*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( $#found )) && _describe -t postino postino found
  if [[ -n $files ]]; then _files; fi
}
if [[ $funcstack[1] == _postino ]]; then _postino "$@"; else compdef _postino postino; fi
