#!/usr/bin/env bats
# The packaging fits what is installed: every file is in exactly one package, every plug-in has one of its own, and what a third
# party's module gets is filled in. Building, installing and removing the packages: tests/packages (make soak).
# req: H5 U6
# SPDX-License-Identifier: Apache-2.0
load functions
setup()
{
	flow_setup
	D=$WBL_SRC/templates/packaging/debian
	export WHIMBREL_TEMPLATES=$WBL_SRC/templates/handler
}
teardown() { flow_teardown; }

# The installed files, as they are called in a package.
installed()
{
	local prefix
	prefix=$(sed -n "s/^prefix='\(.*\)'/\1/p" "$WBL_BUILD/config.log")
	make -s -C "$WBL_BUILD" install DESTDIR="$T/root" >"$T/install.log" 2>&1 || { tail "$T/install.log"; return 1; }
	(cd "$T/root$prefix" && find . ! -type d) |
		sed -e 's|^\./|usr/|' -e 's|^usr/lib/|usr/lib/x86_64-linux-gnu/|' | sort
}

@test "every installed file is in exactly one package" {
	installed >files
	[ "$(wc -l <files)" -gt 50 ]
	bad=0
	while read -r file; do
		in=
		for list in "$D"/*.install; do
			while read -r pattern; do
				# a pattern names a file, or a folder with all in it
				# shellcheck disable=SC2254
				case $file in $pattern | $pattern/*) in="$in $(basename "$list")" ;; esac
			done <"$list"
		done
		[ "$(wc -w <<<"$in")" = 1 ] || { echo "$file is in: ${in:-no package}"; bad=1; }
	done <files
	[ $bad = 0 ]
	# and no pattern names what is not installed
	cat "$D"/*.install | while read -r pattern; do
		found=
		while read -r file; do
			# shellcheck disable=SC2254
			case $file in $pattern | $pattern/*) found=1 && break ;; esac
		done <files
		[ -n "$found" ] || { echo "nothing is installed at $pattern"; exit 1; }
	done
}

@test "every plug-in has a package of its own, which depends on the ABI and not on a version of the engine" {
	for so in "$WBL_BUILD"/plugins/mods/.libs/*.so; do
		grep -lx "usr/lib/\*/whimbrel/handlers/1/$(basename "$so")" "$D"/*.install >list
		[ "$(wc -l <list)" = 1 ] || { echo "$so: $(cat list)"; false; }
		package=$(basename "$(cat list)" .install)
		[ "$(wc -l <"$D/$package.install")" = 1 ]
		stanza=$(sed -n "/^Package: $package\$/,/^\$/p" "$D/control")
		grep -q '^Depends: .*whimbrel-handler-abi-1$' <<<"$stanza"
		! grep -q 'binary:Version' <<<"$stanza"
	done
	sed -n '/^Package: whimbrel$/,/^$/p' "$D/control" | grep -qx 'Provides: whimbrel-handler-abi-1'
	[ "$(sed -n 's/^Package: //p' "$D/control" | sort)" = \
		"$(cd "$D" && for f in *.install; do echo "${f%.install}"; done | sort)" ]
	while read -r doc; do
		compgen -G "$WBL_SRC/$doc" >/dev/null || { echo "$doc is not there"; false; }
	done < <(cat "$D"/*.docs)
	major=$(sed -n 's/^#define WBL_ABI_MAJOR //p' "$WBL_SRC/include/whimbrel/abi.h")
	grep -qx "Provides: whimbrel-handler-abi-$major" "$D/control"
	version=$(sed -n 's/^AC_INIT(\[Whimbrel\],\[\([^]]*\)\].*/\1/p' "$WBL_SRC/configure.ac")
	[ "$(sed -n '1s/whimbrel (\(.*\)-[0-9]*) .*/\1/p' "$D/changelog")" = "$version" ]
}

@test "a third party's module gets a debian folder from its manifest, once" {
	add=$WBL_SRC/templates/packaging/handler/add-debian
	while read -r family id build package; do
		whimbrel handler new --family "$family" --id "org.example.$id" --build "$build" "$id" >/dev/null
		DEBFULLNAME="Whimbrel developers" DEBEMAIL=whimbrel@example.org "$add" "$id" | grep -q "$package\."
		[ "$(sed -n 's/^Package: //p' "$id/debian/control")" = "$package" ]
		! grep -rn '@[A-Z_]*@' "$id/debian"
		[ -x "$id/debian/rules" ]
		[ "$(sed -n 's/^ -- \(.*>\)  .*/\1/p' "$id/debian/changelog")" = "Whimbrel developers <whimbrel@example.org>" ]
		grep -q '^License: Apache-2.0$' "$id/debian/copyright"
	done <<-END
	config tidy-up make whimbrel-handler-tidy-up
	store shelf autotools whimbrel-store-shelf
	router sluice make whimbrel-router-sluice
	transform capitals make whimbrel-transform-capitals
	END
	grep -q libtool shelf/debian/control
	! grep -q libtool tidy-up/debian/control
	before=$(flow_digest shelf)
	run "$add" shelf
	[ "$status" = 1 ]
	[[ "$output" == *"there already"* ]]
	[ "$(flow_digest shelf)" = "$before" ]
	run "$add" "$T/config"
	[ "$status" = 1 ]
	[[ "$output" == *"no manifest"* ]]
}
