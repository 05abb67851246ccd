# whimbrel.m4 - for plug-ins of Whimbrel that are built with autotools.            serial 1
# SPDX-License-Identifier: Apache-2.0
#
# WHIMBREL_HANDLER([LEAST VERSION])
# Finds the SDK through pkg-config and sets, all substituted:
#   WHIMBREL_CFLAGS, WHIMBREL_LIBS   headers and the helper library (static: nothing of it is needed at run time)
#   WHIMBREL_LDFLAGS                 a module as the host wants it: only its entry is seen, all is bound when it is loaded
#   WHIMBREL_CONFORM                 the program that checks a module
#   moduledir                        where it is installed; --with-moduledir=DIR is another place
AC_DEFUN([WHIMBREL_HANDLER], [
	AC_REQUIRE([PKG_PROG_PKG_CONFIG])
	PKG_CHECK_MODULES([WHIMBREL], [whimbrel-handler m4_ifnblank([$1], [>= $1])])
	PKG_CHECK_VAR([WHIMBREL_CONFORM], [whimbrel-handler], [conform])
	AC_ARG_WITH([moduledir],
		[AS_HELP_STRING([--with-moduledir=DIR], [where Whimbrel looks for modules @<:@LIBDIR/whimbrel/handlers/1@:>@])],
		[moduledir=$withval], [moduledir='${libdir}/whimbrel/handlers/1'])
	AC_SUBST([moduledir])
	WHIMBREL_LDFLAGS="-module -shared -avoid-version -no-undefined -Wl,-z,now -Wl,-z,defs -Wl,-z,noexecstack -Wl,--exclude-libs,ALL"
	AC_SUBST([WHIMBREL_LDFLAGS])
])
