# Every command of the guide prints what the guide says.
cd "$ROOT"
sh tools/check_guide.sh docs/guide.md
