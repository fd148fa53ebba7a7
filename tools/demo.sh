#!/usr/bin/env bash
# Shows icc-store at work on a copy of real files; `make demo` puts the program on PATH and runs this.
# Nothing of yours is changed: everything happens in a temporary directory that is removed at the end.
set -Eeuo pipefail
demo=$(realpath "$0")

work=$(mktemp -d "${TMPDIR:-/tmp}/icc-store-demo.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'printf "\nThe demo failed at: %s\n" "$BASH_COMMAND" >&2' ERR

# The demo must not depend on, or write to, what you have set up.
mkdir "$work/home"
real_home=${HOME:-/nonexistent}
export HOME=$work/home XDG_CONFIG_HOME=$work/home/.config XDG_DATA_HOME=$work/home/.local/share
unset ICC_STORE_REPO

say() { printf '\n\033[1m# %s\033[0m\n' "$*"; }
[ -t 1 ] || say() { printf '\n# %s\n' "$*"; }

# Prints a command as a person would type it, then runs it.
run() {
    printf '$ %s\n' "$*"
    "$@"
}

# The same for a line with a pipe in it.
run_line() {
    printf '$ %s\n' "$1"
    bash -o pipefail -c "$1"
}

# ---------------------------------------------------------------- real files, copied

copy_text_files() {
    # usage: copy_text_files FOLDER; its text files, at most 2,000
    (cd "$1" && find . -type f \( -name '*.txt' -o -name '*.md' -o -name '*.rst' -o -name '*.py' \
        -o -name '*.json' -o -name copyright -o -name 'changelog*' \) -size -512k \
        -not -path '*/site-packages/*' -not -path '*/__pycache__/*' -print | LC_ALL=C sort | sed -n 1,2000p > "$work/names")
    tar -C "$1" -cf - -T "$work/names" | tar -C "$work/notes" -xf -
    rm "$work/names"
}

cd "$work"
mkdir notes
library=$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
memory=$real_home/.claude/memory
if [ -d "$memory" ] && [ "$(find "$memory" -type f -not -path '*/backups/*' | wc -l)" -ge 3 ]; then
    origin="your memory in ~/.claude/memory"
    tar -C "$memory" --exclude=./backups --exclude=./safety -cf - . | tar -C notes -xf -
elif [ -d "$library" ]; then
    origin="the text of this machine's Python library"
    copy_text_files "$library"
else
    origin="the documentation on this machine"
    copy_text_files /usr/share/doc
fi
printf 'A copy of %s: %s files, %s.\n' "$origin" "$(find notes -type f | wc -l | tr -d ' ')" "$(du -sh notes | cut -f 1)"

# ---------------------------------------------------------------- the story

say "A repository is one directory: a database and a small header."
run icc-store --repo store init

say "The first snapshot reads everything; equal and similar files are stored once."
run icc-store --repo store snapshot notes --name first

say "A day passes: one file grows, one is new, one moves, one goes."
names=()
while IFS= read -r name; do names+=("$name"); done < <(find notes -type f | LC_ALL=C sort | sed -n 1,3p)
cp -a notes before
run_line "echo 'One more line.' >> $(printf %q "${names[0]}")"
run_line "echo '# Learned today' > notes/learned-today.md"
run mv "${names[1]}" "${names[1]}.moved"
run rm "${names[2]}"

say "The second snapshot reads only what changed, and stores only the difference."
run icc-store --repo store snapshot notes

say "Both are there, each whole."
run icc-store --repo store list

say "What changed between them."
run icc-store --repo store diff latest~1 latest --stat

say "Restore the second one somewhere else and compare: no difference may show."
run icc-store --repo store restore latest --target restored
run diff -r notes restored

say "The first one is still as it was, before the day."
run icc-store --repo store restore first --target restored-first
run diff -r before restored-first

say "Leave at any time: a snapshot is a plain tar away."
run icc-store --repo store export latest --tar out.tar.gz
run_line "tar tzf out.tar.gz | LC_ALL=C sort | sed -n 1,5p"

say "Clean up: first the plan, with a reason for each snapshot, then exactly that plan."
run icc-store --repo store gc --dry-run
run icc-store --repo store gc

say "Read and check everything that is stored."
run icc-store --repo store verify

say "What it cost."
run icc-store --repo store stats

# ---------------------------------------------------------------- an agent's memory

say "A memory of an agent is known by its layout, and is validated with every snapshot."
python "$(dirname "$demo")/demo_memory.py" memory
run icc-store --repo memories init
run icc-store --repo memories snapshot memory --name monday

say "The agent uses what it knows, learns something, and writes one file only half."
python "$(dirname "$demo")/demo_memory.py" memory --day
run icc-store --repo memories snapshot memory --name tuesday

say "What changed in the memory, and not only in its files."
run icc-store --repo memories diff monday tuesday --entities
run icc-store --repo memories history Learning-stale_cache-20261102
run icc-store --repo memories blame Learning-stale_cache-20261102

say "A restore takes a safety copy first; rollback undoes it."
run icc-store --repo memories restore monday --target memory --yes
run icc-store --repo memories rollback memory --yes

say "An export as the memory system expects it, which coreutils alone can check."
run icc-store --repo memories export tuesday --directory exported
run_line "cd exported/backup-* && sha256sum --quiet -c SHA256SUMS && sha256sum SHA256SUMS && grep integrity manifest.json"

say "A drill restores a snapshot to nowhere, to be sure that it could."
run icc-store --repo memories drill tuesday

say "Done. Everything above happened in a temporary directory, which is now gone."
