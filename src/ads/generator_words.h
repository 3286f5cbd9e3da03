// The vocabulary of the catalog generator, each list with the most common first.
#pragma once

#include <string_view>

namespace adagents::ads::internal {

struct Place {
  std::string_view country, region, city, metro;
  int utcoffset;  // minutes, winter time
};

// Of advertisers; not all share their clock with the listeners.
inline constexpr std::string_view kTimeZones[] = {
    "America/New_York", "America/Los_Angeles", "America/Chicago", "America/Toronto",
    "America/Denver",   "Europe/London",       "America/Phoenix", "UTC"};

// Large markets of North America, with Google metro codes where they have one.
inline constexpr Place kPlaces[] = {{"USA", "NY", "New York", "501", -300},
                                    {"USA", "CA", "Los Angeles", "803", -480},
                                    {"USA", "IL", "Chicago", "602", -360},
                                    {"USA", "TX", "Houston", "618", -360},
                                    {"CAN", "ON", "Toronto", "", -300},
                                    {"USA", "AZ", "Phoenix", "753", -420},
                                    {"USA", "PA", "Philadelphia", "504", -300},
                                    {"USA", "TX", "Dallas", "623", -360},
                                    {"USA", "OH", "Columbus", "535", -300},
                                    {"USA", "MN", "Minneapolis", "613", -360},
                                    {"USA", "MI", "Detroit", "505", -300},
                                    {"USA", "WA", "Seattle", "819", -480},
                                    {"USA", "CO", "Denver", "751", -420},
                                    {"CAN", "QC", "Montreal", "", -300},
                                    {"USA", "MA", "Boston", "506", -300},
                                    {"USA", "GA", "Atlanta", "524", -300},
                                    {"USA", "FL", "Miami", "528", -300},
                                    {"USA", "CA", "San Francisco", "807", -480},
                                    {"CAN", "BC", "Vancouver", "", -480},
                                    {"USA", "OH", "Cleveland", "510", -300},
                                    {"USA", "WI", "Milwaukee", "617", -360},
                                    {"USA", "NC", "Charlotte", "517", -300},
                                    {"USA", "MO", "St. Louis", "609", -360},
                                    {"USA", "MD", "Baltimore", "512", -300},
                                    {"USA", "IN", "Indianapolis", "527", -300},
                                    {"USA", "TN", "Nashville", "659", -360},
                                    {"CAN", "AB", "Calgary", "", -420},
                                    {"USA", "OR", "Portland", "820", -480},
                                    {"USA", "VA", "Richmond", "556", -300},
                                    {"USA", "FL", "Tampa", "539", -300},
                                    {"USA", "LA", "New Orleans", "622", -360},
                                    {"USA", "NV", "Las Vegas", "839", -480},
                                    {"USA", "KY", "Louisville", "529", -300},
                                    {"USA", "UT", "Salt Lake City", "770", -420},
                                    {"CAN", "MB", "Winnipeg", "", -360},
                                    {"USA", "OK", "Tulsa", "671", -360},
                                    {"USA", "IA", "Des Moines", "679", -360},
                                    {"USA", "AL", "Birmingham", "630", -360},
                                    {"USA", "SC", "Charleston", "519", -300},
                                    {"USA", "ID", "Boise", "757", -420},
                                    {"GBR", "ENG", "London", "", 0},
                                    {"DEU", "BE", "Berlin", "", 60},
                                    {"FRA", "IDF", "Paris", "", 60},
                                    {"SWE", "AB", "Stockholm", "", 60},
                                    {"MEX", "CMX", "Mexico City", "", -360},
                                    {"BRA", "SP", "Sao Paulo", "", -180},
                                    {"AUS", "NSW", "Sydney", "", 600},
                                    {"JPN", "13", "Tokyo", "", 540}};

inline constexpr std::string_view kGenres[] = {
    "pop",   "hip-hop", "rock",      "news",    "comedy",  "true crime", "electronic", "country",
    "latin", "jazz",    "classical", "metal",   "indie",   "r&b",        "sports",     "business",
    "soul",  "folk",    "blues",     "reggae",  "ambient", "soundtrack", "technology", "science",
    "kids",  "health",  "history",   "society", "fiction", "travel"};

inline constexpr std::string_view kCategories[] = {
    "IAB1", "IAB1-6", "IAB9", "IAB12", "IAB17",   "IAB19", "IAB3",    "IAB13",  "IAB7",
    "IAB8", "IAB2",   "IAB5", "IAB18", "IAB9-30", "IAB20", "IAB1-7",  "IAB22",  "IAB10",
    "IAB6", "IAB15",  "IAB4", "IAB21", "IAB14",   "IAB16", "IAB19-6", "IAB17-3"};

inline constexpr std::string_view kLanguages[] = {"en", "es", "fr", "de", "pt", "sv", "ja"};
inline constexpr std::string_view kMakes[] = {"apple", "samsung",  "google",
                                              "lg",    "motorola", "sony"};
inline constexpr std::string_view kKeywords[] = {
    "music",  "workout", "running", "focus",  "sleep", "party", "commute", "cooking",
    "gaming", "travel",  "finance", "family", "cars",  "pets",  "fashion", "startup"};

inline constexpr std::string_view kFirstNames[] = {
    "North",  "Blue",  "Silver", "Bright", "Urban", "Golden", "Wild", "Clear",
    "Summit", "River", "Maple",  "Harbor", "Nova",  "Prime",  "Echo", "Lumen"};
struct Trade {
  std::string_view name, category;
};
inline constexpr Trade kTrades[] = {
    {"Coffee", "IAB8-5"},     {"Motors", "IAB2"},       {"Bank", "IAB13"},
    {"Outfitters", "IAB18"},  {"Airlines", "IAB20-3"},  {"Telecom", "IAB19-30"},
    {"Insurance", "IAB13-6"}, {"Games", "IAB9-30"},     {"Fitness", "IAB7"},
    {"Foods", "IAB8"},        {"Cosmetics", "IAB18-1"}, {"Hotels", "IAB20-18"},
    {"Energy", "IAB15"},      {"Pets", "IAB16"},        {"Academy", "IAB5"},
    {"Homes", "IAB21"}};

inline constexpr std::string_view kTones[] = {"upbeat", "calm", "serious", "funny", "warm"};
inline constexpr std::string_view kPaces[] = {"medium", "fast", "slow"};
inline constexpr std::string_view kVoices[] = {"female", "male", "none"};
inline constexpr std::string_view kCalls[] = {"visit", "install", "shop", "listen", "book", ""};

struct Size {
  int w, h;
};
// The sizes of the public recordings and of common trading, most common first.
inline constexpr Size kBannerSizes[] = {{300, 250}, {728, 90},  {320, 50}, {160, 600}, {336, 280},
                                        {300, 600}, {970, 250}, {468, 60}, {120, 600}, {250, 250}};

}  // namespace adagents::ads::internal
