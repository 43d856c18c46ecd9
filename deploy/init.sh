#!/bin/sh
# Once before every start: database, roles, the first user, pools. What a person has changed since (a password, the slots of a pool) stays as it is.
set -eu
cd "$(dirname "$0")/.."

airflow db migrate
airflow sync-perm
python deploy/first_user.py
pools="$(python deploy/pools.py)"
printf '%s\n' "$pools" | while read -r pool slots; do
  [ -n "$pool" ] || continue
  airflow pools get "$pool" </dev/null >/dev/null 2>&1 \
    || airflow pools set "$pool" "$slots" "What a vendor takes at once, deferred tasks counted" --include-deferred </dev/null
done
echo "nightshift: ready"
