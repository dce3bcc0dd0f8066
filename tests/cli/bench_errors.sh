$GRADTOOL bench tiny.json --instruments gradeints
echo "status $?"
$GRADTOOL bench nowhere.json
echo "status $?"
