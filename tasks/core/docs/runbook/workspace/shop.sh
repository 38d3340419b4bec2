#!/usr/bin/env bash
# The sales of the stores: bash shop.sh COMMAND (--day 2026-04-02 | --month 2026-04) [--again]
#
#   take     copy the files of a day from $DATA/drop to landing/, if they are whole
#   load     landing/ -> raw.sales
#   discard  take a day out of raw.sales
#   close    raw.sales -> marts.daily; the day is done
#   reopen   take a day that is done out of marts.daily
#   month    marts.daily -> marts.monthly
#   unlock   remove what a run has left that isn't there any more
#   check    is a day, or a month, what it should be?
#   state    of a day: new, taken, loaded or closed
set -euo pipefail

command=${1:-help}
shift || true
day='' month='' again=no
while (($#)); do
    case $1 in
        --day) day=$2; shift 2 ;;
        --month) month=$2; shift 2 ;;
        --again) again=yes; shift ;;
        *) echo "unknown option $1" >&2; exit 2 ;;
    esac
done

die() { echo "shop: $2" >&2; exit "$1"; }
sql() { psql --no-psqlrc --quiet --tuples-only --no-align -v ON_ERROR_STOP=1 -v day="$day" -v month="$month"; }
state() { echo "select coalesce((select state from ops.days where day = :'day'), 'new')" | sql; }
needs_day() { [[ $day =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] || die 2 "$command needs --day"; }
needs_month() { [[ $month =~ ^[0-9]{4}-[0-9]{2}$ ]] || die 2 "$command needs --month"; }
must_be() { local now; now=$(state); [[ $now == "$1" ]] || die 6 "$day is $now, not $1"; }
nobody_else() {
    local holder; holder=$(echo 'select day from ops.lock' | sql)
    [[ -z $holder ]] || die 5 "a run is at work on $holder"
}

take() {
    needs_day; nobody_else
    local from=$DATA/drop/$day to=landing/$day file rows
    [[ -f $from/manifest ]] || die 3 "there is no delivery of $day"
    [[ ! -e $to || $again == yes ]] || die 4 "$day has been taken; --again takes it once more"
    [[ $(state) != closed ]] || die 7 "$day is closed"
    rm -rf "$to"; mkdir -p "$to"
    while read -r file rows; do
        cp "$from/$file" "$to/"
        [[ $(($(wc -l < "$to/$file") - 1)) == "$rows" ]] || die 3 "$file of $day hasn't $rows rows"
    done < "$from/manifest"
    cp "$from/manifest" "$to/"
    echo "insert into ops.days values (:'day', 'taken') on conflict (day) do nothing" | sql
}

load() {
    needs_day; nobody_else; must_be taken
    [[ -f landing/$day/manifest ]] || die 3 "landing/$day isn't whole"
    echo "insert into ops.lock values (:'day', now())" | sql
    local file
    while read -r file _; do
        echo "\\copy raw.sales from 'landing/$day/$file' with (format csv, header)" | sql
    done < "landing/$day/manifest"
    sql <<< "begin; update ops.days set state = 'loaded' where day = :'day'; delete from ops.lock; commit;"
}

discard() {
    needs_day; nobody_else
    [[ $(state) != closed ]] || die 7 "$day is closed"
    sql <<< "begin; delete from raw.sales where day = :'day';
             update ops.days set state = 'taken' where day = :'day'; commit;"
}

close() {
    needs_day; nobody_else; must_be loaded
    sql <<< "begin;
             insert into marts.daily select day, store, count(*), sum(amount) from raw.sales where day = :'day' group by 1, 2;
             update ops.days set state = 'closed' where day = :'day'; commit;"
}

reopen() {
    needs_day; nobody_else
    [[ $(state) == closed ]] || { echo "$day isn't closed"; return; }
    sql <<< "begin; delete from marts.daily where day = :'day';
             update ops.days set state = 'loaded' where day = :'day'; commit;"
}

month() {
    needs_month; nobody_else
    local open
    open=$(echo "select min(day) from ops.days where state <> 'closed' and to_char(day, 'YYYY-MM') = :'month'" | sql)
    [[ -z $open ]] || die 8 "$open isn't closed"
    sql <<< "begin; delete from marts.monthly where month = :'month';
             insert into marts.monthly select :'month', store, sum(receipts), sum(revenue) from marts.daily
             where to_char(day, 'YYYY-MM') = :'month' group by store; commit;"
}

unlock() {
    needs_day
    local holder; holder=$(echo 'select day from ops.lock' | sql)
    [[ -z $holder || $holder == "$day" ]] || die 5 "a run is at work on $holder, not on $day"
    echo 'delete from ops.lock' | sql
}

check() {
    local wrong taken
    if [[ -n $month ]]; then
        needs_month
        wrong=$(sql <<< "select store from (
                select store, receipts, revenue from marts.monthly where month = :'month'
                except all select store, sum(receipts), sum(revenue) from marts.daily
                where to_char(day, 'YYYY-MM') = :'month' group by store) as more
            union all select store from (
                select store, sum(receipts), sum(revenue) from marts.daily
                where to_char(day, 'YYYY-MM') = :'month' group by store
                except all select store, receipts, revenue from marts.monthly where month = :'month') as less")
        [[ -z $wrong ]] || die 1 "marts.monthly isn't the sum of marts.daily for $wrong"
        return
    fi
    needs_day
    must_be closed
    taken=$(awk '{sum += $2} END {print sum + 0}' "landing/$day/manifest")
    [[ $(echo "select count(*) from raw.sales where day = :'day'" | sql) == "$taken" ]] ||
        die 1 "raw.sales hasn't the $taken rows of landing/$day"
    wrong=$(sql <<< "select store from raw.sales where day = :'day' group by store
            having (count(*), sum(amount)) not in (
                select receipts, revenue from marts.daily d where d.day = :'day' and d.store = sales.store)
        union select store from marts.daily where day = :'day' and store not in (
            select store from raw.sales where day = :'day')")
    [[ -z $wrong ]] || die 1 "marts.daily isn't the sum of raw.sales for $wrong"
}

case $command in
    take | load | discard | close | reopen | month | unlock | check) "$command" ;;
    state) needs_day; state ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0"; [[ $command == help ]] || exit 2 ;;
esac
