awk 'NR > 1 { n++; sum += $1 } END { printf "orders,cents\n%d,%d\n", n, sum }' "$DATA/orders.csv" > total.csv
