// Any bytes as a notice's URL: never verified unless it is one of ours, and then unchanged.
#include <cstddef>
#include <cstdint>

#include "fuzz/openrtb_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace adagents;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<openrtb::Notice> notice = fuzz::Signer().Verify(text, fuzz::Now());
  if (!notice.ok()) {
    fuzz::Require(!Message(notice.status()).empty(), "errors say something");
  } else {  // only what is in the corpus gets here, for it takes the key to make one
    const std::string again = fuzz::Signer().Url({.decision = notice->decision,
                                                  .bid = notice->bid,
                                                  .imp = notice->imp,
                                                  .campaign = notice->campaign,
                                                  .creative = notice->creative,
                                                  .price = notice->price,
                                                  .cur = notice->cur,
                                                  .reservation = notice->reservation},
                                                 notice->kind, notice->issued);
    const std::string_view query = text.substr(text.find('?') + 1);
    const std::string_view made = std::string_view(again).substr(again.find('?') + 1);
    fuzz::Require(query.substr(0, query.find("&k=")) == made.substr(0, made.find("&k=")),
                  "a verified notice says what was signed");
  }
  // The same bytes as the texts that we sign ourselves.
  const openrtb::NoticeSubject subject{.decision = size, .campaign = text, .creative = text};
  const absl::StatusOr<openrtb::Notice> ours = fuzz::Signer().Verify(
      fuzz::Signer().Url(subject, openrtb::NoticeKind::kWin, fuzz::Now()), fuzz::Now());
  if (size <= openrtb::kMostNoticeIdBytes) {
    fuzz::Require(ours.ok() && ours->campaign == text && ours->creative == text,
                  "what we sign verifies");
  }
  return 0;
}
