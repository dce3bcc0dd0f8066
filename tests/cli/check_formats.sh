# Each format goes to the file behind it, or to standard output; all say the same, and the summary of a step is appended.
unset GITHUB_WORKSPACE GITHUB_STEP_SUMMARY CI_PROJECT_DIR GITLAB_CI
check() {
    $GRADTOOL check run -q --select 'nonfinite-*' "$@"
}
$GRADTOOL train tiny.json -o run -q --set clip=null --set 'optimizer={"type":"sgd","lr":1e38}' 2>err
# What the rules say is theirs to change.
plain() {
    sed -e 's/nonfinite-[a-z]*/RULE/g' -e 's/\(": \|::\|, \|error(RULE): \)[^:]*step [0-9]*.*$/.../'
}
check -f concise -f json -o r.json -f junit -o r.xml -f sarif -o r.sarif -f github,gitlab -o r.gitlab -f markdown -o r.md >r.txt 2>err
echo "$?"
cat err
cut -d ' ' -f 1-3 r.txt | plain
check -f sarif | cmp - r.sarif
grep -v '^::' r.txt >c.txt && mv c.txt r.txt
check -o early.txt -f concise
cmp early.txt r.txt
check -f concise -o - | cmp - r.txt
check --json -f concise -o again.txt | cmp - r.json
cmp again.txt r.txt
grep -c '<failure ' r.xml
grep -o '"ruleId": "nonfinite' r.sarif
grep -o '"severity": "critical"' r.gitlab
grep -o '^## gradtool: sick$' r.md
# Annotations: one line each; the summary is appended to what other steps wrote.
echo before >summary
GITHUB_STEP_SUMMARY=summary check -f github >annotations
echo "$?"
sed 's/::.*title=/::...title=/; s/)::.*/)::.../' annotations | plain
sed -n '1p' summary
grep -c '^## gradtool: sick$' summary
GITHUB_STEP_SUMMARY=no/such/file check -f github >annotations
echo "$?"
# Paths are relative to the repository, whatever the working directory is.
mkdir .git
(cd run && $GRADTOOL check . -q --select 'nonfinite-*' -f github) | grep -o 'file=[^,]*'
mkdir elsewhere && (cd elsewhere && GITHUB_WORKSPACE=$PWD $GRADTOOL check ../run -q --select 'nonfinite-*' -f github) | grep -o 'file=[^,]*'
check -f github --annotate tiny.json | grep -o 'file=[^,]*'
check -f github --annotate tiny.json:7 | grep -o 'file=[^,]*,line=[0-9]*'
GITLAB_CI=true check -f junit | grep -o ' file="[^"]*"' | sort -u
check -f junit --junit-family gitlab | grep -o ' file="[^"]*"' | sort -u
