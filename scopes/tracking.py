"""Places of advertising and of tracking people, which no integration may send anything to. A list, and how it is matched.

A name stands for itself and for all below it. Where a company has other services under the same name, only the paths
are listed that are for advertising or tracking.

Why it is not for a clinic to allow: an address book of patients, or who looked at which page of a clinic, tells an
advertiser who is ill (HHS bulletin on online tracking; 45 CFR 164.508(a)(3); GDPR 9).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

_NAMES: Final = {
    "Google": "google-analytics.com googleadservices.com doubleclick.net 2mdn.net googlesyndication.com googletagmanager.com "
    "googletagservices.com googleoptimize.com app-measurement.com admob.com adsense.com "
    "analytics.google.com ads.google.com adservice.google.com adwords.google.com tagmanager.google.com "
    "googleads.googleapis.com datamanager.googleapis.com adwords.googleapis.com analytics.googleapis.com "
    "analyticsdata.googleapis.com analyticsadmin.googleapis.com analyticsreporting.googleapis.com "
    "tagmanager.googleapis.com adsense.googleapis.com admob.googleapis.com adexchangebuyer.googleapis.com "
    "adexperiencereport.googleapis.com authorizedbuyersmarketplace.googleapis.com realtimebidding.googleapis.com "
    "dfareporting.googleapis.com displayvideo.googleapis.com doubleclickbidmanager.googleapis.com "
    "doubleclicksearch.googleapis.com searchads360.googleapis.com "
    "firebaselogging.googleapis.com firebaselogging-pa.googleapis.com",
    "Meta": "facebook.net pixel.facebook.com an.facebook.com ads.facebook.com atdmt.com atlassolutions.com "
    "graph.instagram.com liverail.com",
    "Microsoft": "bat.bing.com bat.bing.net c.bing.com bingads.microsoft.com ads.microsoft.com clarity.ms "
    "adnxs.com adnxs-simple.com xandr.com adsdk.microsoft.com",
    "LinkedIn": "ads.linkedin.com snap.licdn.com bizographics.com",
    "TikTok": "analytics.tiktok.com ads.tiktok.com business-api.tiktok.com ads-api.tiktok.com analytics-sg.tiktok.com "
    "tiktokw.us byteoversea.com pangle.io pangleglobal.com",
    "Snap": "tr.snapchat.com tr6.snapchat.com tr-shadow.snapchat.com ads.snapchat.com adsapi.snapchat.com sc-static.net",
    "X": "ads-twitter.com analytics.twitter.com ads.twitter.com ads-api.twitter.com analytics.x.com ads.x.com ads-api.x.com",
    "Pinterest": "ct.pinterest.com trk.pinterest.com ads.pinterest.com analytics.pinterest.com",
    "Reddit": "alb.reddit.com ads-api.reddit.com ads.reddit.com pixel-config.reddit.com events.redditmedia.com",
    "Amazon": "amazon-adsystem.com advertising.amazon.com advertising-api.amazon.com advertising-api-eu.amazon.com "
    "advertising-api-fe.amazon.com aax.amazon.com assoc-amazon.com",
    "Yahoo": "ads.yahoo.com analytics.yahoo.com gemini.yahoo.com adtech.de adtechus.com advertising.com",
    "Adobe": "demdex.net omtrdc.net 2o7.net everesttech.net adobedtm.com tubemogul.com",
    "Oracle": "bluekai.com addthis.com moatads.com eloqua.com",
    "Yandex, VK, Baidu": "mc.yandex.ru mc.yandex.com an.yandex.ru metrika.yandex.ru ads.vk.com top-fwz1.mail.ru "
    "target.my.com hm.baidu.com tongji.baidu.com cnzz.com umeng.com",
    "other networks' pixels": "q.quora.com ads.nextdoor.com flask.nextdoor.com pixels.spotify.com ads.spotify.com "
    "ads.roblox.com tr.line.me",
    "product analytics": "segment.com segment.io mixpanel.com mxpnl.com amplitude.com heap.io heapanalytics.com pendo.io "
    "posthog.com mparticle.com rudderstack.com rudderlabs.com snowplow.io snowplowanalytics.com keen.io kissmetrics.io "
    "kissmetrics.com indicative.com countly.com flurry.com localytics.com gainsight.com appcues.com userpilot.com "
    "june.so koala.live statsig.com optimizely.com abtasty.com vwo.com visualwebsiteoptimizer.com kameleoon.com "
    "kameleoon.eu dynamicyield.com monetate.net",
    "session recording": "hotjar.com hotjar.io contentsquare.com contentsquare.net fullstory.com logrocket.com logrocket.io "
    "lr-ingest.com lr-ingest.io lr-in.com lr-in-prod.com lr-intake.com mouseflow.com crazyegg.com luckyorange.com "
    "luckyorange.net smartlook.com smartlook.cloud inspectlet.com sessioncam.com sessionstack.com quantummetric.com "
    "glassboxdigital.io glassboxcdn.com decibelinsight.net decibelinsight.com clicktale.net userreplay.net "
    "openreplay.com livesession.io browsee.io",
    "web analytics": "matomo.cloud piwik.pro plausible.io usefathom.com simpleanalytics.com simpleanalyticscdn.com "
    "statcounter.com getclicky.com clicky.com woopra.com chartbeat.com chartbeat.net parsely.com quantserve.com "
    "quantcast.com scorecardresearch.com comscore.com similarweb.com alexametrics.com histats.com hs-analytics.net "
    "hs-banner.com track.hubspot.com webtrends.com webtrendslive.com atinternet.com xiti.com etracker.com etracker.de "
    "ioam.de wt-eu02.net mapp.com siteimprove.com siteimproveanalytics.com siteimproveanalytics.io gosquared.com "
    "leadfeeder.com lfeeder.com clearbit.com clearbitscripts.com 6sense.com 6sc.co demandbase.com zi-scripts.com "
    "rb2b.com opensend.com",
    "app attribution": "appsflyer.com appsflyersdk.com onelink.me adjust.com adjust.io adj.st branch.io app.link kochava.com "
    "singular.net tenjin.io tenjin.com tune.com hasoffers.com",
    "tag delivery": "tealium.com tealiumiq.com tiqcdn.com ensighten.com tagcommander.com commander1.com",
    "ad networks and exchanges": "criteo.com criteo.net taboola.com outbrain.com outbrainimg.com zemanta.com adroll.com "
    "rubiconproject.com magnite.com pubmatic.com openx.net openx.com casalemedia.com indexexchange.com adsrvr.org "
    "thetradedesk.com bidswitch.net media.net mathtag.com turn.com adform.net adform.com smartadserver.com "
    "equativ.com teads.tv teads.com sharethrough.com spotxchange.com spotx.tv 33across.com yieldmo.com gumgum.com "
    "triplelift.com 3lift.com sovrn.com lijit.com emxdgt.com districtm.io contextweb.com pulsepoint.com revcontent.com "
    "mgid.com stackadapt.com simpli.fi basis.net sitescout.com choozle.com rtbhouse.com creativecdn.com "
    "adcolony.com applovin.com unityads.unity3d.com vungle.com inmobi.com ironsrc.com supersonicads.com chartboost.com "
    "digitalturbine.com fyber.com smaato.com smaato.net mopub.com startapp.com propellerads.com popads.net "
    "buysellads.com carbonads.com carbonads.net flashtalking.com sizmek.com serving-sys.com innovid.com "
    "undertone.com conversantmedia.com dotomi.com epsilon.com steelhousemedia.com mountain.com tvsquared.com "
    "vibe.co tatari.tv",
    "affiliate networks": "impact.com impactradius.com impactradius-event.com ojrq.net pxf.io cj.com emjcd.com dpbolvw.net "
    "anrdoezrs.net awin.com awin1.com zanox.com rakutenadvertising.com linksynergy.com shareasale.com partnerize.com "
    "prf.hn tradedoubler.com webgains.com skimresources.com",
    "data brokers and identity graphs": "liveramp.com rlcdn.com pippio.com tapad.com agkn.com neustar.biz crwdcntrl.net "
    "lotame.com krxd.net exelator.com eyeota.net bombora.com ml314.com id5-sync.com intentiq.com adsymptotic.com "
    "drawbridge.com zeotap.com permutive.com permutive.app narrative.io acxiom.com acuityplatform.com throtle.io "
    "fullcontact.com audigent.com",
    "ad verification": "doubleverify.com adsafeprotected.com integralads.com adlightning.com pixalate.com adrta.com",
    "advertising to physicians and patients": "doceree.com deepintent.com swoop.com",
}
_VERSION: Final = r"(/v\d+(\.\d+)?)?"
# Meta's Graph API is WhatsApp's too. A batch at its root hides in its body where the requests go.
_GRAPH: Final = (
    rf"{_VERSION}(/batch)?"
    rf"|{_VERSION}/act_[^/]+(/.*)?"
    rf"|{_VERSION}/[^/]+/(events|activities|adspixels|offline_conversion_data_sets|customaudiences?|custom_audiences|users"
    r"|usersreplace|user_matches|adaccounts|ads|adsets|campaigns|adcreatives|leads|leadgen_forms|dataset|datasets"
    r"|custom_conversions|page_activities)(/.*)?"
)
_PATHS: Final[Mapping[str, str]] = {
    "graph.facebook.com": _GRAPH,
    "graph-video.facebook.com": _GRAPH,
    "facebook.com": r"/tr(/.*)?|/ads(/.*)?|/adsmanager(/.*)?",
    "google.com": r"/(pagead|ads|ccm|gmp|adsense|analytics|measurement|collect|g/collect|rmkt)(/.*)?",
    "googleapis.com": r"/(upload/)?(analytics|adsense|adsensehost|adexchangebuyer|adexchangeseller|dfareporting|dfatrafficking"
    r"|doubleclickbidmanager|doubleclicksearch|tagmanager|admob|auth/adwords|auth/datamanager)(/.*)?",
    "linkedin.com": r"/(rest|v2)/(ad|conversion|dmp|lead)[^/]*(/.*)?|/px(/.*)?|/insight(/.*)?|/collect(/.*)?",
    "bing.com": r"/(action|actionp)(/.*)?",
    "t.co": r"(/1)?/i/adsct(/.*)?",
    "twitter.com": r"(/1)?/i/adsct(/.*)?",
    "x.com": r"(/1)?/i/adsct(/.*)?",
    "pinterest.com": r"/v\d+/(ad_accounts|ads|catalogs|conversion)[^/]*(/.*)?",
    "reddit.com": r"/api/v[^/]+/(conversions|ads)(/.*)?",
    "redditstatic.com": r"/ads(/.*)?",
    "snapchat.com": r"/v\d+/conversion(/.*)?|/v\d+/[^/]+/events(/.*)?|/v\d+/(adaccounts|segments|pixels)(/.*)?",
    "tiktok.com": r"/(open_api|i18n/pixel)(/.*)?",
    "vk.com": r"/rtrg(/.*)?|/method/ads\.[^/]*",
    "yahoo.com": r"/(v\d+/)?(conversion|pixel|admin/rest)(/.*)?",
    "hubspot.com": r"/(events/v\d+/send|__ptq\.gif)(/.*)?",
}
# The permissions of Google's that are for advertising and measuring, by the last part of their names.
_SCOPES: Final = re.compile(
    r"(?:^|/)(?:adwords|datamanager|adsense|admob|adexchange|adsdatahub|analytics|tagmanager|dfa|dfp|ddm|display-video|doubleclick)"
    r"[a-z.-]*$|(?:^|[:_])(?:ads_management|ads_read|ads_write|attribution_read|catalog_management)$"
)
_LISTED: Final = frozenset(name for names in _NAMES.values() for name in names.split())
_PARTLY: Final = MappingProxyType({name: re.compile(paths) for name, paths in _PATHS.items()})
_SLASHES: Final = re.compile(r"/{2,}")
_ENCODED: Final = re.compile(r"%([0-9a-fA-F]{2})")


def tracks(host: str, path: str = "/") -> bool:
    """Whether a place is for advertising or tracking; the path may carry a query."""
    listed, partly = _found(host)
    return listed or any(paths.fullmatch(_plain(path)) for paths in partly)


def only_tracks(host: str) -> bool:
    """Whether all of a host is."""
    return _found(host)[0]


def may_track(host: str) -> bool:
    """Whether any place at a host is; where none is, nobody needs to look at paths."""
    listed, partly = _found(host)
    return listed or bool(partly)


def is_for_tracking(provider_scope: str) -> bool:
    """Whether a vendor's permission is one for advertising or measuring."""
    return _SCOPES.search(provider_scope.lower()) is not None


@lru_cache(maxsize=4096)
def _found(host: str) -> tuple[bool, tuple[re.Pattern[str], ...]]:
    """Whether a host or a name above it is on the list, and what is listed of their paths."""
    labels = host.lower().rstrip(".").split(".")
    names = [".".join(labels[at:]) for at in range(len(labels))]
    return not _LISTED.isdisjoint(names), tuple(_PARTLY[name] for name in names if name in _PARTLY)


def _plain(path: str) -> str:
    """A path as a lenient server may read it: decoded, in small letters, without empty parts."""
    plain = path.partition("?")[0]
    for _ in range(3):
        plain = _ENCODED.sub(lambda found: chr(int(found[1], 16)), plain)
    parts = [part.partition(";")[0] for part in _SLASHES.sub("/", plain.lower()).split("/")]
    return "/".join(parts).rstrip("/")
