# SPDX-License-Identifier: GPL-2.0-or-later
# The timing witness: two objects, for dmapat-conformance too; its unit test and its
# program for the emulators. Included by matrix.mk.

TIMING_O := $(patsubst %,$(B)/tests/conformance/matrix/%.o,timing timing_classify)
TIMING_LIBS := -lm

$(TIMING_O): $(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -c $< -o $@

$(B)/tests/conformance/lib/agent.o $(B)/tests/conformance/lib/timed.o: tests/conformance/lib/timed.h tests/conformance/lib/timed.inc

$(B)/tests/unit/test_timing: tests/unit/test_timing.c $(filter %_classify.o,$(TIMING_O)) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $(filter %.c %.o,$^) -o $@ $(TIMING_LIBS) -lcmocka

$(B)/tests/conformance/test_timing_witness: $(TIMING_O)
$(B)/tests/conformance/test_timing_witness: CONFORMANCE_O += $(TIMING_O) $(TIMING_LIBS)
