from pathlib import Path

from PIL import Image

from backend.models.images.previews import write_preview


def test_a_preview_is_small_upright_and_on_white(tmp_path: Path):
    source, turned = tmp_path / "wide.png", Image.Exif()
    turned[0x0112] = 6
    Image.new("RGBA", (800, 200), (0, 0, 0, 0)).save(source, exif=turned)
    write_preview(source, tmp_path / "small.jpg")
    with Image.open(tmp_path / "small.jpg") as small:
        assert small.size == (80, 320)
        assert small.convert("L").getextrema()[0] > 250
        assert not small.getexif()
