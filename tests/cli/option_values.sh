# Values out of their range, of no number, and left out.
for words in '--threads 0' '--threads 65' '--threads two' '--threads=' '--color blue' '--color alway' '--seconds 0' '--out' '--instruments'; do
    $GRADTOOL bench tiny.json $words
    echo "$words: status $?"
done
