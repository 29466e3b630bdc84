# fish: postino completion fish | source
function __postino_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    for line in ($words[1] completion candidates -- $words[2..-1] $last 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path $last
        else
            echo $line
        end
    end
end
complete -c postino -f -a '(__postino_complete)'
