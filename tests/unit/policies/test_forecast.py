from backend.policies.forecast import Round, forecast


def test_without_a_certificate_labeling_goes_on():
    ahead = forecast([Round(100, 0)], 5000)
    assert ahead.pays
    assert "nothing is certified yet" in ahead.reason


def test_while_a_label_certifies_more_than_one_image_it_pays():
    ahead = forecast([Round(200, 0), Round(300, 2000)], 5000)
    assert ahead.pays
    assert ahead.certified > ahead.labels == 75
    assert f"about {ahead.labels} more labels would certify about {ahead.certified}" in (
        ahead.reason
    )


def test_when_rounds_bring_nothing_more_it_stops_paying():
    ahead = forecast([Round(500, 4000), Round(700, 4010), Round(900, 4012)], 5500)
    assert not ahead.pays
    assert "by hand costs no more" in ahead.reason


def test_faster_progress_promises_more():
    slow = forecast([Round(200, 1000), Round(400, 1100)], 5000)
    fast = forecast([Round(200, 1000), Round(400, 3000)], 5000)
    assert fast.certified / (5000 - 3400) > slow.certified / (5000 - 1500)


def test_a_forecast_without_images_left_says_so():
    assert forecast([Round(100, 400)], 500).reason == "every image is labeled or certified"
    assert forecast([], 0).labels == 0


def test_a_few_that_are_left_are_best_labeled_by_hand():
    ahead = forecast([Round(100, 390)], 500)
    assert (ahead.labels, ahead.certified, ahead.pays) == (10, 0, False)
    assert ahead.reason == "labeling the images that are left, 10, by hand costs least"


def test_more_is_never_promised_than_is_left():
    for rest in (1, 5, 40):
        ahead = forecast([Round(100, 50), Round(200, 900)], 1100 + rest)
        assert ahead.labels + ahead.certified <= rest
