$GRADTOOL train tiny.json --set 'monitor.instruments=["gradient"]'
