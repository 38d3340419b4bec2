psql -q -v ON_ERROR_STOP=1 -v day="$1" -f load.sql
