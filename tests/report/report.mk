# SPDX-License-Identifier: GPL-2.0-or-later
# conformance-report, and its unit tests, which see all of it but main().

REPORT_O := $(patsubst tests/%,$(B)/tests/%.o,$(basename $(filter-out %/main.c,$(wildcard tests/report/*.[cS]))))

$(B)/tests/report/%.o: tests/report/%.c
	@mkdir -p $(@D)
	$(call step,CC)$(CC) $(T_CFLAGS) -c $< -o $@

$(B)/tests/report/parts.o: tests/report/parts.S $(wildcard tests/report/*.css tests/report/*.html)
	@mkdir -p $(@D)
	$(call step,AS)$(CC) -c $< -o $@

$(B)/tests/report/conformance-report: $(B)/tests/report/main.o $(REPORT_O) $(ORACLE_O)
	$(call step,LD)$(CC) $(U_LDFLAGS) $^ -o $@

$(B)/tests/unit/test_report_%: tests/unit/test_report_%.c $(REPORT_O) $(ORACLE_O)
	@mkdir -p $(@D)
	$(call step,LD)$(CC) $(T_CFLAGS) $(U_LDFLAGS) $< -o $@ $(REPORT_O) $(ORACLE_O) -lcjson -lcmocka
