for process in /proc/[0-9]*; do
  tr '\0' ' ' 2>/dev/null <"$process/cmdline" | grep -q 'peer node start' || continue
  grep -q '^SigCgt:.*[2367abef]..$' "$process/status" || continue
  kill -USR1 "${process#/proc/}" && asked=yes
done
[ "$asked" = yes ]
