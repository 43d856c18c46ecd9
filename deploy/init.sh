#!/bin/sh
# Once before every start: database, roles, the first user, pools. What a person has changed since (a password, the slots of a pool) stays as it is.
set -eu
cd "$(dirname "$0")/.."

airflow db migrate
airflow sync-perm
if [ -n "${ADMIN_PASSWORD:-}" ]; then
  airflow users create --role Admin --username admin --firstname Nightshift --lastname Admin --email admin@localhost --password "$ADMIN_PASSWORD"
fi
pools="$(python deploy/pools.py)"
printf '%s\n' "$pools" | while read -r pool slots; do
  [ -n "$pool" ] || continue
  airflow pools get "$pool" </dev/null >/dev/null 2>&1 \
    || airflow pools set "$pool" "$slots" "What a vendor takes at once, deferred tasks counted" --include-deferred </dev/null
done
echo "nightshift: ready"
