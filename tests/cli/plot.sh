$GRADTOOL train tiny.json -q -o run
$GRADTOOL plot run --only heatmap_gradients --format png,svg
head -c 4 run/plots/heatmap_gradients.png | tail -c 3
echo
head -c 4 run/plots/heatmap_gradients.svg
echo
$GRADTOOL plot run --only heatmap_activations --json --out elsewhere
ls elsewhere
