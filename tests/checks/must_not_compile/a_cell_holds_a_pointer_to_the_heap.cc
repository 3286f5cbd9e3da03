// State is stored as atomic words and may lie in shared memory: its values are trivially copyable.
// error: shared state is copied word by word
#include <string>

#include "adagents/blackboard/cell.h"

struct Mood {
  double calm = 0;
#ifdef ADAGENTS_BAD
  std::string name;
#endif
};

void Check(adagents::Cell<Mood>& cell) { (void)cell.Read(); }
