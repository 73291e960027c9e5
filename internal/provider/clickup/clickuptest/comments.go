package clickuptest

import (
	"net/http"
	"slices"
	"strconv"
)

const (
	commentsPage  = 25
	commentGap    = 13 * minute
	commentOffset = 90_110_000_000_000
	commentStride = 1 << 16 // ids a task
	firstReply    = 1 << 15 // among them
)

func (s *Server) commentID(n, k int) string {
	return strconv.Itoa(commentOffset + n*commentStride + k)
}

// commentTask is the number of the task that a comment is on, -1 for an id that was never given.
func (s *Server) commentTask(id string) int {
	v, err := strconv.Atoi(id)
	n := (v - commentOffset) / commentStride
	if err != nil || v < commentOffset || n >= s.nextTask {
		return -1
	}
	return n
}

// conversation is all that was said on a task, replies too, oldest first. Seeded comments come in pairs of one moment, so
// that a reader needs both start and start_id to page through them; every eighth has a reply.
func (s *Server) conversation(n int) []*Comment {
	if said, changed := s.talk[n]; changed {
		return said
	}
	if n >= s.seeded {
		return nil
	}
	k := s.look(s.sownList(n), n)
	all := make([]*Comment, 0, k.comments+k.comments/8+1)
	id := s.taskID(n)
	for i := range k.comments {
		r := s.draw(n, 1000+uint64(i))
		c := &Comment{
			ID: s.commentID(n, i), TaskID: id, Text: pick(remarks, r), User: pick(s.users, r>>8).ID, Date: k.created + int64(i/2+1)*commentGap, Resolved: r>>16%10 == 0,
		}
		if r>>20%4 == 0 {
			c.Text += "\n\n" + pick(sentences, r>>24)
		}
		if r>>28%16 == 0 {
			c.Assignee = pick(s.users, r>>32).ID
		}
		all = append(all, c)
		if i%8 == 3 {
			c.Replies = 1
			all = append(all, &Comment{ID: s.commentID(n, firstReply+i), TaskID: id, Parent: c.ID, Text: pick(remarks, r>>36), User: pick(s.users, r>>40).ID, Date: c.Date})
		}
	}
	return all
}

func (s *Server) getComments(c *call) answer {
	n, t, refusal := s.lookUp(c)
	if t == nil {
		return refusal
	}
	said := slices.DeleteFunc(slices.Clone(s.conversation(n)), func(one *Comment) bool { return one.Parent != "" })
	slices.Reverse(said)
	if start, id := c.query.Get("start"), c.query.Get("start_id"); start != "" && id != "" {
		date, _ := strconv.ParseInt(start, 10, 64)
		number, _ := strconv.Atoi(id)
		// The comment that the reader names may have been deleted since.
		said = slices.DeleteFunc(said, func(one *Comment) bool {
			k, _ := strconv.Atoi(one.ID)
			return one.Date > date || one.Date == date && k >= number
		})
	}
	return s.comments(c, said[:min(len(said), commentsPage)])
}

func (s *Server) getReplies(c *call) answer {
	id := c.PathValue("comment_id")
	n := s.commentTask(id)
	if n < 0 {
		return unauthorized()
	}
	t := s.task(n)
	if t == nil {
		return refuse(http.StatusNotFound, "Task not found, deleted", "ITEM_013")
	}
	said := s.conversation(n)
	if !c.reaches(t.WorkspaceID) || !slices.ContainsFunc(said, func(one *Comment) bool { return one.ID == id }) {
		return s.missing(id, "Comment")
	}
	return s.comments(c, slices.DeleteFunc(slices.Clone(said), func(one *Comment) bool { return one.Parent != id }))
}

func (s *Server) comments(c *call, said []*Comment) answer {
	b := append(c.buf, `{"comments":[`...)
	for i, one := range said {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendComment(b, one)
	}
	return answer{http.StatusOK, append(b, `]}`...)}
}

func (s *Server) appendComment(b []byte, c *Comment) []byte {
	b = appendString(append(b, `{"id":`...), c.ID)
	b = appendString(append(b, `,"comment":[{"text":`...), c.Text)
	b = appendString(append(b, `}],"comment_text":`...), c.Text)
	b = append(append(b, `,"user":`...), s.userJSON[c.User]...)
	b = strconv.AppendBool(append(b, `,"resolved":`...), c.Resolved)
	if c.Assignee == 0 {
		b = append(b, `,"assignee":null,"assigned_by":null`...)
	} else {
		b = append(append(b, `,"assignee":`...), s.userJSON[c.Assignee]...)
		b = append(append(b, `,"assigned_by":`...), s.userJSON[c.User]...)
	}
	b = appendTime(append(b, `,"reactions":[],"date":`...), c.Date)
	b = strconv.AppendInt(append(b, `,"reply_count":"`...), int64(c.Replies), 10)
	return append(b, `"}`...)
}
