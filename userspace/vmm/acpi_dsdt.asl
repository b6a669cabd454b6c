// SPDX-License-Identifier: GPL-2.0-or-later
// What the guest cannot find out by itself: the PCI host bridge and its windows, where
// configuration space is, the serial port, how to switch off. Addresses of pci.h and
// serial.h; acpi.c writes the place of the host-visible window over WBAS and WSIZ.
DefinitionBlock ("", "DSDT", 2, "DMAPAT", "DMAPATVM", 1)
{
    Name (\WBAS, 0x1111111111111111)
    Name (\WSIZ, 0x2222222222222222)
    Name (\_S5, Package () { 5, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0)
            Name (_BBN, 0)
            Name (_UID, 0)
            Name (CRES, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0, 0, 1)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite, 0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    Cacheable, ReadWrite, 0, 0x100000000, 0x13FFFFFFF, 0, 0x40000000,
                    , , WIND)
            })
            Method (_CRS, 0, Serialized)
            {
                CreateQWordField (CRES, \_SB.PCI0.WIND._MIN, WMIN)
                CreateQWordField (CRES, \_SB.PCI0.WIND._MAX, WMAX)
                CreateQWordField (CRES, \_SB.PCI0.WIND._LEN, WLEN)
                WMIN = \WBAS
                WLEN = \WSIZ
                WMAX = WMIN + WLEN - 1
                Return (CRES)
            }
        }

        Device (MBRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
            })
        }
    }
}
