#!/usr/bin/env python3
"""Writes fattura.pdf and logo.png beside itself, without libraries.

Run once when the invoice or the logo change; the results are in the repository.
"""
import pathlib
import struct
import zlib

HERE = pathlib.Path(__file__).parent


def pdf_text(x, y, size, s, bold=False):
    raw = s.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT /F%d %d Tf %d %d Td (%s) Tj ET\n" % (2 if bold else 1, size, x, y, raw)


def invoice():
    c = b"0.90 0.31 0.10 rg 50 770 14 40 re f 0 g\n"
    c += pdf_text(72, 790, 18, "Contoso Forniture S.r.l.", True)
    c += pdf_text(72, 774, 9, "Via dell'Università 12, 10100 Torino - P.IVA 01234567890")
    c += pdf_text(50, 720, 14, "Fattura n. 42/2026 del 22/11/2026", True)
    c += pdf_text(330, 690, 10, "Spettabile", True)
    c += pdf_text(330, 676, 10, "Caffè Perù di Niccolò D'Alò")
    c += pdf_text(330, 662, 10, "Piazza della Libertà 3")
    c += pdf_text(330, 648, 10, "39100 Bolzano")
    rows = [
        ("Descrizione", "Q.tà", "Prezzo", "Importo"),
        ("Caffè in grani, miscela \"Perché no\", 1 kg", "24", "17,50 €", "420,00 €"),
        ("Tazze da tè, città di Torino", "12", "8,25 €", "99,00 €"),
        ("Trasporto (reso franco magazzino)", "1", "15,00 €", "15,00 €"),
    ]
    y = 600
    for i, row in enumerate(rows):
        for x, cell in zip((50, 320, 390, 470), row):
            c += pdf_text(x, y, 10, cell, i == 0)
        c += b"0.8 G 50 %d m 545 %d l S 0 G\n" % (y - 6, y - 6)
        y -= 22
    for label, value in (("Imponibile", "534,00 €"), ("IVA 22%", "117,48 €"), ("Totale", "651,48 €")):
        c += pdf_text(390, y - 10, 10, label, label == "Totale")
        c += pdf_text(470, y - 10, 10, value, label == "Totale")
        y -= 18
    c += pdf_text(50, y - 40, 10, "Pagamento: bonifico a 30 giorni. Documento di prova, senza valore fiscale.")

    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(c), c),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
        b"<< /Title (Fattura 42/2026) /Producer (postino demo) /CreationDate (D:20261122100000Z) >>",
    ]
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for n, o in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, o)
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % o for o in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 7 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, xref)
    return out


def logo(w=160, h=48):
    """An envelope in orange beside three bars."""
    orange, dark, white = (230, 80, 26), (60, 60, 67), (255, 255, 255)
    rows = bytearray()
    for y in range(h):
        rows.append(0)
        for x in range(w):
            p = white
            if 6 <= x < 66 and 6 <= y < 42:
                p = orange
                fold = abs(x - 36) * 20 // 30
                if abs((y - 6) - (20 - fold)) <= 1:
                    p = white
            elif 78 <= x < 150 and 12 <= y < 18 or 78 <= x < 132 and 22 <= y < 26 or 78 <= x < 142 and 30 <= y < 34:
                p = dark
            rows += bytes(p)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes(rows), 9)) + chunk(b"IEND", b""))


(HERE / "fattura.pdf").write_bytes(invoice())
(HERE / "logo.png").write_bytes(logo())
