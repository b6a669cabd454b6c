# SPDX-License-Identifier: GPL-2.0-or-later
# Tests by what they need: unit tests run anywhere, the rest in the emulators.

UNIT := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(wildcard tests/unit/test_*.c))

# Unit tests see the programs as libraries: all of a program but its main().
$(B)/tests/unit/%: tests/unit/%.c $(VMM_A) $(GPU_A) $(LIB_A)
	@mkdir -p $(@D)
	$(CC) $(U_CFLAGS) $(U_LDFLAGS) -Itests $< -o $@ $(VMM_A) $(GPU_A) $(LIB_A) $(U_LIBS) -lcmocka

check-fast: $(UNIT)
	tests/run-unit $(UNIT)

.PHONY: check-fast

-include $(wildcard $(B)/tests/*/*.d)
