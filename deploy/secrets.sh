#!/bin/sh
# Makes every password and key of docker-compose.yaml once, in .env beside it. What .env has already is never changed; run it as often as you like.
set -eu
umask 077
file="${1:-$(dirname "$0")/../.env}"

# 64 characters that need no quoting in a URL.
random() { od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n'; }
# A Fernet key: 32 bytes in URL-safe base64.
fernet() { head -c 32 /dev/urandom | base64 | tr '+/' '-_'; }

made=""
give() {
  grep -q "^$1=." "$file" && return
  printf '%s=%s\n' "$1" "$2" >> "$file"
  made="$made $1"
}

touch "$file"
chmod 600 "$file"
# A last line without an end would swallow the first name.
[ -z "$(tail -c 1 "$file")" ] || echo >> "$file"
give POSTGRES_PASSWORD "$(random)"
give REDIS_PASSWORD "$(random)"
give FERNET_KEY "$(fernet)"
give JWT_SECRET "$(random)"
give API_SECRET_KEY "$(random)"
give ADMIN_PASSWORD "$(random)"

if [ -n "$made" ]; then
  echo "nightshift: made in $file:$made"
  echo "nightshift: keep that file: the database volume and the stored connections open with these alone. The password of the user admin is ADMIN_PASSWORD in it."
else
  echo "nightshift: $file has everything already; nothing changed."
fi
